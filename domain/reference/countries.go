package reference

import (
	"sync"

	"gesta/domain"
	"gesta/domain/value"
)

// ErrCountryNotFound refuses a code that no country has.
var ErrCountryNotFound = &domain.Fault{Kind: domain.NotFound, Code: "country_not_found", Text: "country not found"}

// Country is one of ISO 3166-1.
type Country struct {
	Code        value.Country `json:"code"`
	Code3       string        `json:"code3"`
	NumericCode string        `json:"numeric_code"` // three digits
	Name        string        `json:"name"`
	NameUK      string        `json:"name_uk"`
	// Of the United Nations: Africa, Americas, Asia, Europe or Oceania; Antarctica is in none of those.
	Region string `json:"region"`
	// What is dialled before a number there, such as "+380"; "" where there are no telephones.
	PhoneCode string `json:"phone_code"`
	// What is mostly paid with; "" in Antarctica.
	CurrencyCode value.Currency `json:"currency_code"`
	Active       bool           `json:"is_active"`
}

// Countries are all, by code. Nobody changes them.
func Countries() []Country { return known().Countries }

var countriesByCode = sync.OnceValue(func() index[Country] {
	return indexed(Countries(), func(c Country) []string { return []string{string(c.Code)} })
})

// FindCountry answers the one with an alpha-2 code in any case, or refuses with ErrCountryNotFound.
func FindCountry(code string) (Country, error) {
	return countriesByCode().find(code, ErrCountryNotFound)
}
