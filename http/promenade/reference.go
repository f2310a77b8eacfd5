package promenade

import (
	"context"
	"strconv"
	"time"

	"gesta/domain/reference"
	"gesta/http/web"
)

// dayLong is for how long reference data may be kept: it changes with the release only.
const dayLong = 24 * time.Hour

func (a api) referenceRoutes() []web.Route {
	const shared = prefix + "/shared"
	countries := web.Whole[country]{All: shownOf(reference.Countries(), showCountry), Traits: []web.Trait[country]{
		active(func(c country) bool { return c.IsActive }),
		{Param: region("countries"), Of: func(c country) string { return c.Region }},
	}}
	currencies := web.Whole[currency]{All: shownOf(reference.Currencies(), showCurrency), Traits: []web.Trait[currency]{
		active(func(c currency) bool { return c.IsActive }),
	}}
	languages := web.Whole[language]{All: shownOf(reference.Languages(), showLanguage), Traits: []web.Trait[language]{
		active(func(l language) bool { return l.IsActive }),
	}}
	zones := web.Whole[timeZone]{All: shownOf(reference.TimeZones(), showTimeZone), Traits: []web.Trait[timeZone]{
		active(func(z timeZone) bool { return z.IsActive }),
		{Param: region("time zones"), Of: func(z timeZone) string { return z.Region }},
		{Param: web.Param{Name: "country", Text: "Only time zones of the country with this code."}, Of: func(z timeZone) string { return z.CountryCode }},
	}}
	return []web.Route{
		kept(shared+"/countries", countries.List()).Does("List countries").Refuses(400),
		kept(shared+"/countries/:code", one("code", reference.FindCountry, showCountry)).Does("Find a country").Refuses(404),
		kept(shared+"/countries/region/:region", countries.ListOf("region")).Does("List the countries of a region").Refuses(400),
		kept(shared+"/currencies", currencies.List()).Does("List currencies").Refuses(400),
		kept(shared+"/currencies/:code", one("code", reference.FindCurrency, showCurrency)).Does("Find a currency").Refuses(404),
		kept(shared+"/languages", languages.List()).Does("List languages").Refuses(400),
		kept(shared+"/languages/:code", one("code", reference.FindLanguage, showLanguage)).Does("Find a language").Refuses(404),
		kept(shared+"/timezones", zones.List()).Does("List time zones").Refuses(400),
		kept(shared+"/timezones/region/:region", zones.ListOf("region")).Does("List the time zones of a region").Refuses(400),
		kept(shared+"/timezones/*", one("*", reference.FindTimeZone, showTimeZone)).Does("Find a time zone by its name").Refuses(404),
	}
}

func kept(path string, h web.Handler) web.Route {
	return web.Get(path, web.Unasked, h).Cacheable(dayLong)
}

func active[T any](is func(T) bool) web.Trait[T] {
	return web.Trait[T]{
		Param: web.Param{Name: "is_active", Text: "Only what is in use, or is not.", Boolean: true},
		Of:    func(one T) string { return strconv.FormatBool(is(one)) },
	}
}

func region(of string) web.Param {
	return web.Param{Name: "region", Text: "Only " + of + " of this region, such as Europe."}
}

// one shows what a part of the path names.
func one[T, Shown any](param string, find func(string) (T, error), show func(T) Shown) web.Handler {
	name := func(r *web.Request) (string, error) { return r.Param(param), nil }
	return web.Handle(web.Reads(name), func(_ context.Context, name string) (T, error) { return find(name) }, show)
}

func shownOf[T, Shown any](all []T, show func(T) Shown) []Shown {
	shown := make([]Shown, len(all))
	for i, one := range all {
		shown[i] = show(one)
	}
	return shown
}

// country is one of ISO 3166-1.
type country struct {
	// Two letters, in upper case.
	Code string `json:"code"`
	// In English.
	Name string `json:"name"`
	// In Ukrainian.
	NameUK string `json:"name_uk"`
	// What is dialled before a number there; empty where there are no telephones.
	PhoneCode string `json:"phone_code"`
	// What is mostly paid with; empty for Antarctica.
	CurrencyCode string `json:"currency_code"`
	IsActive     bool   `json:"is_active"`
	// Three letters.
	Code3 string `json:"code3"`
	// Three digits.
	NumericCode string `json:"numeric_code"`
	// Africa, Americas, Antarctica, Asia, Europe or Oceania.
	Region string `json:"region"`
}

func showCountry(c reference.Country) country {
	return country{
		Code: string(c.Code), Name: c.Name, NameUK: c.NameUK, PhoneCode: c.PhoneCode, CurrencyCode: string(c.CurrencyCode),
		IsActive: c.Active, Code3: c.Code3, NumericCode: c.NumericCode, Region: c.Region,
	}
}

// currency is one of ISO 4217.
type currency struct {
	// Three letters, in upper case.
	Code string `json:"code"`
	// Three digits.
	NumericCode string `json:"numeric_code"`
	// In English.
	Name string `json:"name"`
	// In Ukrainian.
	NameUK string `json:"name_uk"`
	// The code where there is no other.
	Symbol string `json:"symbol"`
	// How many digits the minor unit takes.
	DecimalPlaces int `json:"decimal_places"`
	// Whether it is legal tender somewhere.
	IsActive bool `json:"is_active"`
}

func showCurrency(c reference.Currency) currency {
	return currency{string(c.Code), c.NumericCode, c.Name, c.NameUK, c.Symbol, c.DecimalPlaces, c.Active}
}

// language is one of ISO 639-1.
type language struct {
	// Two letters, in lower case.
	Code string `json:"code"`
	// Three letters, of ISO 639-3.
	Code3 string `json:"code3"`
	// In English.
	Name string `json:"name"`
	// In Ukrainian.
	NameUK string `json:"name_uk"`
	// In itself.
	NativeName string `json:"native_name"`
	// Where a line of it goes: left to right, or right to left.
	Direction string `json:"direction" enum:"LTR,RTL"`
	IsActive  bool   `json:"is_active"`
}

func showLanguage(l reference.Language) language {
	return language{string(l.Code), l.Code3, l.Name, l.NameUK, l.NativeName, string(l.Direction), l.Active}
}

// timeZone is one of IANA's database.
type timeZone struct {
	// Such as Europe/Kyiv; older names are found, and answered by this one.
	Name string `json:"name"`
	// Of standard time; digits where it has no letters.
	Abbreviation string `json:"abbreviation"`
	// Minutes that standard time is ahead of UTC. Summer time is not in it.
	UTCOffset int `json:"utc_offset"`
	// The same for people, such as UTC+02:00.
	UTCFormatted string `json:"utc_formatted"`
	// The part of the name before the first slash; Etc for UTC.
	Region string `json:"region"`
	// Two letters; empty for what is no place's.
	CountryCode string `json:"country_code"`
	// In English; empty for what is no place's.
	City string `json:"city"`
	// In Ukrainian.
	CityUK string `json:"city_uk"`
	// Whether it is that of a place, or UTC.
	IsActive bool `json:"is_active"`
}

func showTimeZone(z reference.TimeZone) timeZone {
	return timeZone{
		string(z.Name), z.Abbreviation, z.OffsetMinutes, z.Formatted, z.Region, string(z.Country), z.City, z.CityUK, z.Active,
	}
}
