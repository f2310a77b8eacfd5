package reference

import (
	"sync"

	"gesta/domain"
	"gesta/domain/value"
)

// ErrTimeZoneNotFound refuses a name that no time zone has.
var ErrTimeZoneNotFound = &domain.Fault{Kind: domain.NotFound, Code: "time_zone_not_found", Text: "time zone not found"}

// TimeZone is one that IANA's zone.tab lists, UTC, or one that is always some hours from UTC ("Etc/GMT+5", which is
// behind it). All other names are aliases of these, as ECMA-402 has it.
type TimeZone struct {
	Name value.TimeZone `json:"name"`
	// Of standard time, such as "EET"; digits where there are no letters.
	Abbreviation string `json:"abbreviation"`
	// Minutes that standard time is ahead of UTC, in the year of the source. Summer time is not in it: the answer
	// does not depend on the day.
	OffsetMinutes int    `json:"utc_offset"`
	Formatted     string `json:"utc_formatted"` // the same as "UTC+02:00"
	// The first part of the name; "Etc" for UTC.
	Region  string        `json:"region"`
	Country value.Country `json:"country_code"` // "" for none
	City    string        `json:"city"`         // "" for none
	CityUK  string        `json:"city_uk"`
	// Whether it is that of a place, or UTC.
	Active  bool     `json:"is_active"`
	Aliases []string `json:"aliases"`
}

// TimeZones are all, by name. Nobody changes them.
func TimeZones() []TimeZone { return known().TimeZones }

var timeZonesByName = sync.OnceValue(func() index[TimeZone] {
	return indexed(TimeZones(), func(z TimeZone) []string { return append([]string{string(z.Name)}, z.Aliases...) })
})

// FindTimeZone answers the one that a name stands for in any case ("Europe/Kiev" for "Europe/Kyiv"), or refuses with
// ErrTimeZoneNotFound.
func FindTimeZone(name string) (TimeZone, error) {
	return timeZonesByName().find(name, ErrTimeZoneNotFound)
}
