package demo

import (
	"math/rand/v2"

	"gesta/domain/value"
)

// word is part of a name as it is written, and as it stands in an address.
type word struct{ name, plain string }

// culture is where people come from.
type culture struct {
	country     value.Country
	language    value.Language
	zone        value.TimeZone
	city        string
	street      string
	phone       string // what their numbers begin with: ranges that nobody is given, where there are any
	digits      int    // that follow
	share       int    // how many of a hundred people come from there
	first, last []word
}

var cultures = []culture{
	{
		country: "UA", language: "uk", zone: "Europe/Kyiv", city: "Львів", street: "вулиця Франка", phone: "+380440000", digits: 3, share: 30,
		first: []word{
			{"Олена", "olena"},
			{"Андрій", "andrii"},
			{"Оксана", "oksana"},
			{"Тарас", "taras"},
			{"Ірина", "iryna"},
			{"Богдан", "bohdan"},
			{"Соломія", "solomiia"},
			{"Юрій", "yurii"},
			{"Наталія", "nataliia"},
			{"Максим", "maksym"},
		},
		last: []word{
			{"Коваленко", "kovalenko"},
			{"Шевчук", "shevchuk"},
			{"Бондаренко", "bondarenko"},
			{"Ткаченко", "tkachenko"},
			{"Мельник", "melnyk"},
			{"Кравець", "kravets"},
			{"Гончар", "honchar"},
			{"Лисенко", "lysenko"},
			{"Марченко", "marchenko"},
			{"Савчук", "savchuk"},
		},
	},
	{
		country: "GB", language: "en", zone: "Europe/London", city: "Bristol", street: "Chapel Row", phone: "+447700900", digits: 3, share: 16,
		first: []word{{"Emily", "emily"}, {"Oliver", "oliver"}, {"Amelia", "amelia"}, {"Harry", "harry"}, {"Priya", "priya"}, {"Callum", "callum"}, {"Niamh", "niamh"}, {"Rhys", "rhys"}},
		last:  []word{{"Ashworth", "ashworth"}, {"Patel", "patel"}, {"Hughes", "hughes"}, {"Fletcher", "fletcher"}, {"O'Neill", "oneill"}, {"Whitaker", "whitaker"}, {"Campbell", "campbell"}, {"Reid", "reid"}},
	},
	{
		country: "US", language: "en", zone: "America/New_York", city: "Boston", street: "Beacon Lane", phone: "+120255501", digits: 2, share: 12,
		first: []word{{"Grace", "grace"}, {"Marcus", "marcus"}, {"Hannah", "hannah"}, {"Diego", "diego"}, {"Naomi", "naomi"}, {"Ethan", "ethan"}, {"Keiko", "keiko"}, {"Jordan", "jordan"}},
		last:  []word{{"Sullivan", "sullivan"}, {"Brooks", "brooks"}, {"Nguyen", "nguyen"}, {"Ramirez", "ramirez"}, {"Goldberg", "goldberg"}, {"Freeman", "freeman"}, {"Tanaka", "tanaka"}, {"Walsh", "walsh"}},
	},
	{
		country: "DE", language: "de", zone: "Europe/Berlin", city: "Köln", street: "Lindenweg", phone: "+493023125", digits: 3, share: 12,
		first: []word{{"Jürgen", "juergen"}, {"Anke", "anke"}, {"Matthias", "matthias"}, {"Käthe", "kaethe"}, {"Florian", "florian"}, {"Sabine", "sabine"}, {"Emre", "emre"}},
		last:  []word{{"Weber", "weber"}, {"Schäfer", "schaefer"}, {"Krüger", "krueger"}, {"Vogel", "vogel"}, {"Yılmaz", "yilmaz"}, {"Brandt", "brandt"}, {"Lindner", "lindner"}},
	},
	{
		country: "PL", language: "pl", zone: "Europe/Warsaw", city: "Kraków", street: "ulica Długa", phone: "+48220000", digits: 3, share: 12,
		first: []word{{"Zofia", "zofia"}, {"Łukasz", "lukasz"}, {"Agnieszka", "agnieszka"}, {"Michał", "michal"}, {"Małgorzata", "malgorzata"}, {"Piotr", "piotr"}, {"Paweł", "pawel"}},
		last:  []word{{"Nowak", "nowak"}, {"Wójcik", "wojcik"}, {"Mazur", "mazur"}, {"Dąbek", "dabek"}, {"Pawlak", "pawlak"}, {"Król", "krol"}, {"Wróbel", "wrobel"}},
	},
	{
		country: "FR", language: "fr", zone: "Europe/Paris", city: "Lyon", street: "rue des Tisserands", phone: "+33199000", digits: 3, share: 9,
		first: []word{{"Élodie", "elodie"}, {"Théo", "theo"}, {"Camille", "camille"}, {"Noël", "noel"}, {"Anaïs", "anais"}, {"Karim", "karim"}},
		last:  []word{{"Lefèvre", "lefevre"}, {"Moreau", "moreau"}, {"Benali", "benali"}, {"Girard", "girard"}, {"Châtelain", "chatelain"}, {"Roussel", "roussel"}},
	},
	{
		country: "ES", language: "es", zone: "Europe/Madrid", city: "Valencia", street: "calle del Mar", phone: "+34910000", digits: 3, share: 9,
		first: []word{{"Lucía", "lucia"}, {"Íñigo", "inigo"}, {"Carmen", "carmen"}, {"Andrés", "andres"}, {"Nuria", "nuria"}, {"Joaquín", "joaquin"}},
		last:  []word{{"Ibáñez", "ibanez"}, {"Serrano", "serrano"}, {"Muñoz", "munoz"}, {"Castillo", "castillo"}, {"Peña", "pena"}, {"Vidal", "vidal"}},
	},
}

// person is somebody whose name nobody else has.
type person struct {
	*culture
	given, family word
	number        value.Phone
}

func (p person) name() string { return p.given.name + " " + p.family.name }

func (p person) at(domain string) value.Email {
	return value.Email(p.given.plain + "." + p.family.plain + "@" + domain)
}

// crowd is everybody who has not been met yet.
type crowd struct {
	random *rand.Rand
	left   [][]person // of each culture
}

func newCrowd(random *rand.Rand) *crowd {
	c := &crowd{random, make([][]person, len(cultures))}
	for i := range cultures {
		from := &cultures[i]
		for _, given := range from.first {
			for _, family := range from.last {
				c.left[i] = append(c.left[i], person{from, given, family, number(random, from)})
			}
		}
		random.Shuffle(len(c.left[i]), func(a, b int) { c.left[i][a], c.left[i][b] = c.left[i][b], c.left[i][a] })
	}
	return c
}

func number(random *rand.Rand, from *culture) value.Phone {
	n := from.phone
	for range from.digits {
		n += string(rune('0' + random.IntN(10)))
	}
	return value.Phone(n)
}

// next is somebody from anywhere, where there is anybody left.
func (c *crowd) next() person {
	for {
		drawn := c.random.IntN(100)
		for i := range cultures {
			if drawn -= cultures[i].share; drawn < 0 {
				if len(c.left[i]) > 0 {
					return c.take(i)
				}
				break
			}
		}
	}
}

// take is the next one of a culture.
func (c *crowd) take(from int) (p person) {
	p, c.left[from] = c.left[from][0], c.left[from][1:]
	return p
}
