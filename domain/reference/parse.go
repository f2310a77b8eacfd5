package reference

import (
	"errors"

	"gesta/domain/value"
)

// Refusals of what does not exist.
var (
	ErrCountry  = errors.New("must be an ISO 3166-1 alpha-2 country code, such as UA")
	ErrCurrency = errors.New("must be an ISO 4217 currency code, such as UAH")
	ErrLanguage = errors.New("must be an ISO 639-1 language code, such as uk")
	ErrTimeZone = errors.New("must be an IANA time zone, such as Europe/Kyiv")
)

// ParseCountry reads a code in any case.
func ParseCountry(s string) (value.Country, error) {
	c, err := countriesByCode().find(s, ErrCountry)
	return c.Code, err
}

// ParseCurrency reads a code in any case, also of what is not in use any more.
func ParseCurrency(s string) (value.Currency, error) {
	c, err := currenciesByCode().find(s, ErrCurrency)
	return c.Code, err
}

// ParseLanguage reads a code in any case.
func ParseLanguage(s string) (value.Language, error) {
	l, err := languagesByCode().find(s, ErrLanguage)
	return l.Code, err
}

// ParseTimeZone reads a name in any case. An alias is taken for what it stands for.
func ParseTimeZone(s string) (value.TimeZone, error) {
	z, err := timeZonesByName().find(s, ErrTimeZone)
	return z.Name, err
}
