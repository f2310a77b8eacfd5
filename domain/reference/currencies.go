package reference

import (
	"sync"

	"gesta/domain"
	"gesta/domain/value"
)

// ErrCurrencyNotFound refuses a code that no currency has.
var ErrCurrencyNotFound = &domain.Fault{Kind: domain.NotFound, Code: "currency_not_found", Text: "currency not found"}

// Currency is one of ISO 4217.
type Currency struct {
	Code        value.Currency `json:"code"`
	NumericCode string         `json:"numeric_code"` // three digits
	Name        string         `json:"name"`
	NameUK      string         `json:"name_uk"`
	Symbol      string         `json:"symbol"` // the code where there is no other
	// How many digits its minor unit takes, by ISO: 0 for the yen, 3 for Kuwait's dinar.
	DecimalPlaces int `json:"decimal_places"`
	// Whether it is legal tender somewhere: gold, funds and what has been withdrawn are not.
	Active bool `json:"is_active"`
}

// Currencies are all, by code. Nobody changes them.
func Currencies() []Currency { return known().Currencies }

var currenciesByCode = sync.OnceValue(func() index[Currency] {
	return indexed(Currencies(), func(c Currency) []string { return []string{string(c.Code)} })
})

// FindCurrency answers the one with a code in any case, or refuses with ErrCurrencyNotFound.
func FindCurrency(code string) (Currency, error) {
	return currenciesByCode().find(code, ErrCurrencyNotFound)
}
