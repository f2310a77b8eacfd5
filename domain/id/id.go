// Package id names things. Every id is a ULID: 48 bits of milliseconds, then random bits, so that ids
// sort by the time they were made. There is one type per kind of thing, so that the compiler refuses
// a session where a user is asked for.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// ID is the 128 bits behind every kind of id; the zero ID names nothing.
type ID [16]byte

// One type for each kind of thing.
type (
	Event   struct{ ID }
	User    struct{ ID }
	Session struct{ ID }
	SignIn  struct{ ID }
	Profile struct{ ID }
	Contact struct{ ID }
	Subject struct{ ID } // a person, by whatever id there is

	Role       struct{ ID }
	Permission struct{ ID }

	Customer struct{ ID }
	Company  struct{ ID }
)

// ErrMalformed is what every parser here answers for text that spells no id.
var ErrMalformed = errors.New("id: malformed")

// New makes an id for a thing that begins at the given time.
func New(at time.Time) ID {
	var b ID
	u := ulid.MustNew(ulid.Timestamp(at), rand.Reader)
	copy(b[:], u[:])
	return b.stamped()
}

// Named is the id of a thing there is only one of by that name; the same name always has the same id.
func Named(name string) ID {
	sum := sha256.Sum256([]byte(name))
	b := ID(sum[:16])
	b[0] &= 0x7f // A ULID's text holds times up to 7ZZZZZZZZZ.
	return b.stamped()
}

// NamedAt is the id of a thing of that name that begins at the given time.
func NamedAt(name string, at time.Time) ID {
	u := ulid.ULID(Named(name))
	if err := u.SetTime(ulid.Timestamp(at)); err != nil {
		panic(err) // It is the year 10889.
	}
	return ID(u).stamped()
}

// stamped sets UUIDv7's version and variant in the random part: strict validators refuse a UUID
// spelling without them, and 74 random bits remain.
func (i ID) stamped() ID {
	i[6] = 0x70 | i[6]&0x0f
	i[8] = 0x80 | i[8]&0x3f
	return i
}

// IsZero reports whether i names nothing.
func (i ID) IsZero() bool { return i == ID{} }

// String spells i as a ULID: 26 characters of Crockford's base 32.
func (i ID) String() string { return ulid.ULID(i).String() }

// UUID spells i as a UUID, in lower case with hyphens.
func (i ID) UUID() string {
	h := hex.EncodeToString(i[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// Parse reads the ULID spelling, in either case.
func Parse(s string) (ID, error) {
	u, err := ulid.ParseStrict(s)
	if err != nil {
		return ID{}, ErrMalformed
	}
	return ID(u), nil
}

// ParseUUID reads the UUID spelling with its hyphens, in either case.
func ParseUUID(s string) (ID, error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, ErrMalformed
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return ID{}, ErrMalformed
	}
	return ID(b), nil
}

// MarshalText spells i as a ULID; the zero ID is empty text.
func (i ID) MarshalText() ([]byte, error) {
	if i.IsZero() {
		return nil, nil
	}
	return []byte(i.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (i *ID) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*i = ID{}
		return nil
	}
	*i, err = Parse(string(text))
	return err
}
