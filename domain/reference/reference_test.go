package reference_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"gesta/domain/reference"
	"gesta/domain/value"
)

// sorted fails when names are missing, double or out of order.
func sorted(t *testing.T, names []string, count int) {
	t.Helper()
	if len(names) != count {
		t.Errorf("%d, not %d", len(names), count)
	}
	for i := 1; i < len(names); i++ {
		if names[i] <= names[i-1] {
			t.Errorf("%s after %s", names[i], names[i-1])
		}
	}
}

// said fails for each text that is empty or hides something.
func said(t *testing.T, of string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if text == "" || text != strings.TrimSpace(text) || !value.IsText(text) {
			t.Errorf("%s says %q of %q", of, text, texts)
		}
	}
}

func isCyrillic(s string) bool {
	return strings.ContainsAny(s, "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя")
}

func TestCountriesAreThoseOfISO(t *testing.T) {
	t.Parallel()
	var codes []string
	for _, c := range reference.Countries() {
		codes = append(codes, string(c.Code))
		said(t, string(c.Code), c.Name, c.NameUK, c.Region)
		if len(c.Code) != 2 || len(c.Code3) != 3 || len(c.NumericCode) != 3 || !isCyrillic(c.NameUK) || !c.Active {
			t.Errorf("%+v", c)
		}
		if _, err := reference.ParseCurrency(string(c.CurrencyCode)); err != nil && c.Code != "AQ" {
			t.Errorf("%s pays with %q", c.Code, c.CurrencyCode)
		}
		if c.PhoneCode == "" != slices.Contains([]value.Country{"BV", "HM"}, c.Code) {
			t.Errorf("%s is called by %q", c.Code, c.PhoneCode)
		}
	}
	sorted(t, codes, 249)
}

func TestCountriesThatAreOftenWrong(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]reference.Country{
		"UA": {"UA", "UKR", "804", "Ukraine", "Україна", "Europe", "+380", "UAH", true},
		"KZ": {"KZ", "KAZ", "398", "Kazakhstan", "Казахстан", "Asia", "+7", "KZT", true},
		"VA": {"VA", "VAT", "336", "Vatican City", "Ватикан", "Europe", "+39", "EUR", true},
		"PR": {"PR", "PRI", "630", "Puerto Rico", "Пуерто-Рико", "Americas", "+1", "USD", true},
		"BG": {"BG", "BGR", "100", "Bulgaria", "Болгарія", "Europe", "+359", "EUR", true},
		"LS": {"LS", "LSO", "426", "Lesotho", "Лесото", "Africa", "+266", "LSL", true},
		"CW": {"CW", "CUW", "531", "Curaçao", "Кюрасао", "Americas", "+599", "XCG", true},
		"AQ": {"AQ", "ATA", "010", "Antarctica", "Антарктика", "Antarctica", "+672", "", true},
	} {
		if got, err := reference.FindCountry(code); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for _, none := range []string{"XK", "EU", "AC", "SU", "UK", "ZZ"} {
		if c, err := reference.FindCountry(none); err != reference.ErrCountryNotFound {
			t.Errorf("%s is %+v, %v", none, c, err)
		}
	}
}

func TestCurrenciesAreThoseOfISO(t *testing.T) {
	t.Parallel()
	var codes []string
	numbers, active := map[string]value.Currency{}, 0
	for _, c := range reference.Currencies() {
		codes = append(codes, string(c.Code))
		said(t, string(c.Code), c.Name, c.NameUK, c.Symbol)
		if len(c.Code) != 3 || len(c.NumericCode) != 3 || !isCyrillic(c.NameUK) {
			t.Errorf("%+v", c)
		}
		if !c.Active {
			continue
		}
		active++
		if other := numbers[c.NumericCode]; other != "" {
			t.Errorf("%s has the number of %s", c.Code, other)
		}
		numbers[c.NumericCode] = c.Code
	}
	sorted(t, codes, 182)
	if active != 153 {
		t.Errorf("%d are in use", active)
	}
}

func TestCurrenciesThatAreOftenWrong(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]reference.Currency{
		"UAH": {"UAH", "980", "Ukrainian Hryvnia", "українська гривня", "₴", 2, true},
		"JPY": {"JPY", "392", "Japanese Yen", "японська єна", "¥", 0, true},
		"KWD": {"KWD", "414", "Kuwaiti Dinar", "кувейтський динар", "KWD", 3, true},
		"HUF": {"HUF", "348", "Hungarian Forint", "угорський форинт", "Ft", 2, true}, // Nobody writes them, but banks count them.
		"XCG": {"XCG", "532", "Caribbean guilder", "карибський гульден", "Cg.", 2, true},
		"BGN": {"BGN", "975", "Bulgarian Lev", "болгарський лев", "BGN", 2, false},
		"XAU": {"XAU", "959", "Gold", "золото", "XAU", 0, false},
	} {
		if got, err := reference.FindCurrency(code); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestLanguagesAreThoseOfISO(t *testing.T) {
	t.Parallel()
	var codes, fromTheRight []string
	for _, l := range reference.Languages() {
		codes = append(codes, string(l.Code))
		said(t, string(l.Code), l.Name, l.NameUK, l.NativeName)
		if len(l.Code) != 2 || len(l.Code3) != 3 || !isCyrillic(l.NameUK) || !l.Active {
			t.Errorf("%+v", l)
		}
		switch l.Direction {
		case reference.RightToLeft:
			fromTheRight = append(fromTheRight, string(l.Code))
		case reference.LeftToRight:
		default:
			t.Errorf("%s goes %q", l.Code, l.Direction)
		}
	}
	sorted(t, codes, 183)
	if got := strings.Join(fromTheRight, " "); got != "ae ar dv fa he ks ps sd ug ur yi" {
		t.Errorf("from the right: %s", got)
	}
	uk, err := reference.FindLanguage("UK")
	if want := (reference.Language{"uk", "ukr", "Ukrainian", "українська", "українська", "LTR", true}); err != nil || uk != want {
		t.Errorf("%+v, %v", uk, err)
	}
}

func TestTimeZonesAreThoseOfIANA(t *testing.T) {
	t.Parallel()
	var names []string
	spelled, active := map[string]value.TimeZone{}, 0
	for _, z := range reference.TimeZones() {
		names = append(names, string(z.Name))
		said(t, string(z.Name), z.Abbreviation, z.Formatted, z.Region)
		for _, name := range append(z.Aliases, string(z.Name)) {
			if other := spelled[strings.ToLower(name)]; other != "" {
				t.Errorf("%s is %s and %s", name, other, z.Name)
			}
			spelled[strings.ToLower(name)] = z.Name
		}
		if z.Active {
			active++
		}
		if z.Region == "Etc" {
			continue
		}
		said(t, string(z.Name), z.City, z.CityUK)
		if _, err := reference.ParseCountry(string(z.Country)); err != nil || !isCyrillic(z.CityUK) || !z.Active || !strings.HasPrefix(string(z.Name), z.Region+"/") {
			t.Errorf("%+v", z)
		}
	}
	sorted(t, names, 445)
	if active != 419 {
		t.Errorf("%d are in use", active)
	}
}

func TestTimeZonesThatAreOftenWrong(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		name, abbreviation, formatted string
		country                       value.Country
	}{
		"Europe/Kyiv":       {"Europe/Kyiv", "EET", "UTC+02:00", "UA"},
		"Europe/Kiev":       {"Europe/Kyiv", "EET", "UTC+02:00", "UA"},
		"Europe/Simferopol": {"Europe/Simferopol", "MSK", "UTC+03:00", "UA"},
		"Europe/Oslo":       {"Europe/Oslo", "CET", "UTC+01:00", "NO"},
		"Europe/Dublin":     {"Europe/Dublin", "GMT", "UTC+00:00", "IE"},
		"Africa/Casablanca": {"Africa/Casablanca", "+01", "UTC+01:00", "MA"},
		"asia/calcutta":     {"Asia/Kolkata", "IST", "UTC+05:30", "IN"},
		"US/Newfoundland":   {},
		"America/St_Johns":  {"America/St_Johns", "NST", "UTC-03:30", "CA"},
		"Etc/UTC":           {"UTC", "UTC", "UTC+00:00", ""},
		"GMT":               {"UTC", "UTC", "UTC+00:00", ""},
		"Etc/GMT+5":         {"Etc/GMT+5", "-05", "UTC-05:00", ""},
	} {
		got, err := reference.FindTimeZone(name)
		if (want.name == "") != (err == reference.ErrTimeZoneNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if string(got.Name) != want.name || got.Abbreviation != want.abbreviation || got.Formatted != want.formatted || got.Country != want.country {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

// Go reads the same database, of another version: a few countries may have changed their minds in between.
func TestTimeZonesAreThoseOfGo(t *testing.T) {
	t.Parallel()
	year, err := strconv.Atoi(reference.Sources()["IANA tz"][:4])
	if err != nil {
		t.Fatal(err)
	}
	var others []string
	for _, z := range reference.TimeZones() {
		for _, name := range append(z.Aliases, string(z.Name)) {
			if minutes, known := standardMinutes(name, year); !known || minutes != z.OffsetMinutes {
				others = append(others, name)
			}
		}
	}
	if len(others) > 10 {
		t.Errorf("%d are others to Go: %v", len(others), others)
	}
}

func standardMinutes(zone string, year int) (minutes int, known bool) {
	place, err := time.LoadLocation(zone)
	if err != nil {
		return 0, false
	}
	_, january := time.Date(year, time.January, 1, 12, 0, 0, 0, time.UTC).In(place).Zone()
	_, july := time.Date(year, time.July, 1, 12, 0, 0, 0, time.UTC).In(place).Zone()
	return min(january, july) / 60, true
}

func TestTheDataIsOfTheSourcesThatTheGeneratorPins(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../tools/reference/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var pinned struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(text, &pinned); err != nil || len(pinned.Dependencies) == 0 {
		t.Fatalf("%v in %s", err, text)
	}
	for name, version := range pinned.Dependencies {
		if got := reference.Sources()[name]; got != version {
			t.Errorf("data.json is of %s %q, not %s: make reference", name, got, version)
		}
	}
}

func TestParsing(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]value.Country{"UA": "UA", "ua": "UA", "": "", "UKR": "", "XX": "", " UA": "", "U\x00": ""} {
		got, err := reference.ParseCountry(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("country %q: %q, %v", given, got, err)
		}
	}
	for given, want := range map[string]value.Language{"uk": "uk", "UK": "uk", "": "", "ukr": "", "xx": "", "sh": ""} {
		got, err := reference.ParseLanguage(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("language %q: %q, %v", given, got, err)
		}
	}
	for given, want := range map[string]value.Currency{"UAH": "UAH", "uah": "UAH", "": "", "UAX": "", "XXX": "", "BGN": "BGN"} {
		got, err := reference.ParseCurrency(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("currency %q: %q, %v", given, got, err)
		}
	}
	for given, want := range map[string]value.TimeZone{
		"Europe/Kyiv": "Europe/Kyiv", "europe/kyiv": "Europe/Kyiv", "Europe/Kiev": "Europe/Kyiv", "utc": "UTC",
		"": "", "Local": "", "Europe": "", "../etc/passwd": "", "Europe/Atlantis": "",
	} {
		got, err := reference.ParseTimeZone(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("time zone %q: %q, %v", given, got, err)
		}
	}
}
