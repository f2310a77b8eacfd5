package reference

import (
	"sync"

	"gesta/domain"
	"gesta/domain/value"
)

// ErrLanguageNotFound refuses a code that no language has.
var ErrLanguageNotFound = &domain.Fault{Kind: domain.NotFound, Code: "language_not_found", Text: "language not found"}

// Language is one of ISO 639-1.
type Language struct {
	Code       value.Language `json:"code"`
	Code3      string         `json:"code3"` // of ISO 639-3
	Name       string         `json:"name"`
	NameUK     string         `json:"name_uk"`
	NativeName string         `json:"native_name"`
	Direction  Direction      `json:"direction"`
	Active     bool           `json:"is_active"`
}

// Direction is where a line of text goes.
type Direction string

// The directions there are.
const (
	LeftToRight Direction = "LTR"
	RightToLeft Direction = "RTL"
)

// Languages are all, by code. Nobody changes them.
func Languages() []Language { return known().Languages }

var languagesByCode = sync.OnceValue(func() index[Language] {
	return indexed(Languages(), func(l Language) []string { return []string{string(l.Code)} })
})

// FindLanguage answers the one with a two-letter code in any case, or refuses with ErrLanguageNotFound.
func FindLanguage(code string) (Language, error) {
	return languagesByCode().find(code, ErrLanguageNotFound)
}
