package web

import (
	"strings"

	"gesta/domain"
	"gesta/domain/value"
)

// Fields gathers what is wrong with the fields of a body, so that a caller hears of all of it at once.
type Fields struct{ wrong []domain.Field }

// Field parses one field; the zero value stands for what is wrong.
func Field[T any](f *Fields, name, given string, parse func(string) (T, error)) T {
	v, err := parse(given)
	if err != nil {
		f.Refuse(name, err.Error())
	}
	return v
}

// Optional parses a field that may be left out: nil when it is.
func Optional[T any](f *Fields, name string, given *string, parse func(string) (T, error)) *T {
	if given == nil {
		return nil
	}
	v := Field(f, name, *given, parse)
	return &v
}

// OrNone parses what may be empty, and is the zero value then.
func OrNone[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(s string) (none T, err error) {
		if strings.TrimSpace(s) == "" {
			return none, nil
		}
		return parse(s)
	}
}

// Need refuses to do without a field that may be empty.
func (f *Fields) Need(name string, given *string) {
	if given == nil {
		f.Refuse(name, value.ErrRequired.Error())
	}
}

// Refuse notes what is wrong with a field.
func (f *Fields) Refuse(name, text string) {
	f.wrong = append(f.wrong, domain.Field{Name: name, Text: text})
}

// Err is ErrBody with the fields that are wrong, or nil.
func (f *Fields) Err() error { return f.in(ErrBody) }

// InQuery is ErrQuery with the parameters that are wrong, or nil.
func (f *Fields) InQuery() error { return f.in(ErrQuery) }

func (f *Fields) in(fault *domain.Fault) error {
	if len(f.wrong) == 0 {
		return nil
	}
	return fault.In(f.wrong...)
}

// Wrong says what is wrong with a field.
func Wrong(name string, err error) domain.Field { return domain.Field{Name: name, Text: err.Error()} }
