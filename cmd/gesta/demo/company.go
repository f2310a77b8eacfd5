package demo

import (
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/promenade"
)

// The company books tables and tours for those who have them. Its people write from its domain, its customers from their
// companies' or from elsewhere.
const (
	realm     = "promenade"
	Company   = "Lastivka"
	home      = "lastivka.example"
	elsewhere = "demo.gesta.example"
)

// Login is somebody who runs the company.
type Login struct {
	Name  string
	Email value.Email
	Role  identity.Role
}

// ID is always the same, since it tells whether the company is there.
func (l Login) ID() identity.UserID {
	return identity.UserID{ID: id.Named("demo/promenade/" + string(l.Email))}
}

// Those who run the company: the first and the last of its users to be put in.
var (
	Admin      = Login{"Лариса Довбуш", "larysa.dovbush@" + home, promenade.Admin}
	SuperAdmin = Login{"Lastivka Platform", "platform@" + home, promenade.SuperAdmin}
)

// roles are the company's own.
var roles = []struct {
	name               identity.Role
	title, description string
	may                []identity.Permission
}{
	{sales, "Sales", "Looks after customers", []identity.Permission{"customers:read", "customers:create", "customers:update"}},
	{support, "Support", "Answers customers, and sees who the users are", []identity.Permission{"customers:read", "users:read"}},
}

const (
	sales   identity.Role = "sales"
	support identity.Role = "support"
)

// jobs are what people do at the company.
var jobs = []struct {
	title string
	role  identity.Role // at the company
	team  identity.Role // its own role; "" for none
	bio   string
	count int
}{
	{"Head of Sales", promenade.Manager, sales, "Runs sales. Believes in short calls and long relationships.", 1},
	{"Account Executive", promenade.User, sales, "Helps restaurants fill their tables on rainy Tuesdays.", 7},
	{"Customer Success Manager", promenade.Manager, support, "Makes sure that nobody has to ask twice.", 2},
	{"Support Engineer", promenade.User, support, "Reads logs so that you don't have to.", 5},
	{"Marketing Specialist", promenade.User, "", "Writes about hospitality, and cooks badly.", 3},
	{"Software Engineer", promenade.Guest, "", "Makes calendars agree with each other.", 6},
	{"Accountant", promenade.Guest, "", "", 1},
	{"Intern", promenade.Guest, "", "", 2},
}

// firm is a company that customers come from.
type firm struct{ domain string }

func (f firm) id() crm.CompanyID { return crm.CompanyID{ID: id.Named("demo/company/" + f.domain)} }

var firms = []firm{
	{"karpaty-trails.example"},
	{"zelena-dacha.example"},
	{"harbour-and-hearth.example"},
	{"nordlicht-hotels.example"},
	{"bistro-lumiere.example"},
	{"casa-azahar.example"},
	{"wawel-tours.example"},
	{"blue-heron-lodge.example"},
	{"alte-muehle.example"},
	{"chornohora-camp.example"},
	{"saltmarsh-sailing.example"},
	{"trattoria-sole.example"},
	{"podil-roasters.example"},
	{"highland-bikes.example"},
	{"museum-passage.example"},
	{"vinoteca-rioja.example"},
	{"baltic-spa.example"},
	{"city-escape-rooms.example"},
}

// choice is a word, and how many of a hundred have it.
type choice struct {
	word  string
	share int
}

// What is said of customers.
var (
	sources = []choice{{"website", 34}, {"referral", 20}, {"event", 13}, {"partner", 12}, {"cold_call", 9}, {"newsletter", 7}, {"social", 5}}
	tiers   = []choice{{string(crm.Free), 52}, {string(crm.Basic), 30}, {string(crm.Pro), 14}, {string(crm.Enterprise), 4}}
	labels  = []choice{{"restaurant", 26}, {"hotel", 16}, {"tours", 16}, {"cafe", 14}, {"museum", 8}, {"sports", 8}, {"seasonal", 12}}
	reasons = []choice{
		{"Closed for good after the season", 26},
		{"Moved to a competitor", 22},
		{"Too expensive for a small team", 22},
		{"Missed an integration with their till", 16},
		{"New owner, new software", 14},
	}
)

// seasons are how many people ask in a month, January first: they plan in spring and in autumn, and are busy in summer.
var seasons = [12]int{11, 11, 13, 11, 9, 8, 6, 6, 13, 14, 12, 8}
