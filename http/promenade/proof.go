package promenade

import (
	"gesta/domain/identity"
	"gesta/http/web"
)

// proof is what somebody brings who was sent a code.
type proof struct {
	// As it was sent to the address. Where the installation asks for no proof any text will do; where it does, a
	// request without one has a code sent.
	Code *string `json:"code"`
}

// code reads a code where the realm asks for one; "" for none.
func (a api) code(in proof) (identity.Code, error) {
	if in.Code == nil || !a.realm.ProvenContacts {
		return "", nil
	}
	var f web.Fields
	return web.Field(&f, "code", *in.Code, identity.ParseCode), f.Err()
}

// proving marks a row that takes codes, which could be guessed at.
func (a api) proving(r web.Route) web.Route {
	r.Credential = a.realm.ProvenContacts
	return r
}

// who brings a code; nobody where none is brought.
func who(u identity.UserID, c identity.Code) string {
	if c == "" {
		return ""
	}
	return u.String()
}
