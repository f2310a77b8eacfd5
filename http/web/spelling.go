package web

import "gesta/domain/id"

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

// ID reads an id from the path; what spells none refuses as unknown does.
func (s Spelling) ID(r *Request, param string, unknown error) (id.ID, error) {
	i, err := s.Read(r.Param(param))
	if err != nil || i.IsZero() {
		return i, unknown
	}
	return i, nil
}
