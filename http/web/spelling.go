package web

import (
	"errors"
	"time"

	"gesta/domain/id"
)

// Spelling is how a surface writes ids.
type Spelling struct {
	Write  func(id.ID) string
	Read   func(string) (id.ID, error)
	Format string // as JSON Schema names it
}

// UUID writes ids with hyphens, in lower case.
var UUID = Spelling{Write: id.ID.UUID, Read: id.ParseUUID, Format: "uuid"}

// ULID writes ids in 26 characters of Crockford's base 32, in upper case.
var ULID = Spelling{Write: id.ID.String, Read: id.Parse, Format: "ulid"}

// ErrID refuses what spells no id.
var ErrID = errors.New("must be an id")

// Parse reads an id from a field.
func (s Spelling) Parse(text string) (id.ID, error) {
	i, err := s.Read(text)
	if err != nil || i.IsZero() {
		return id.ID{}, ErrID
	}
	return i, nil
}

// ID reads an id from the path; what spells none refuses as unknown does.
func (s Spelling) ID(r *Request, param string, unknown error) (id.ID, error) {
	i, err := s.Parse(r.Param(param))
	if err != nil {
		return i, unknown
	}
	return i, nil
}

// Optional writes an id that there may not be.
func (s Spelling) Optional(i *id.ID) *string {
	if i == nil {
		return nil
	}
	text := s.Write(*i)
	return &text
}

// InUTC is a time that there may not be, as it is shown.
func InUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}
