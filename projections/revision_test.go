package projections_test

import (
	"slices"
	"strings"
	"testing"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/identity"
	"gesta/projections"
)

// shownBy are the read models of what has revisions, with the facts of it that are quiet.
var shownBy = map[string]struct {
	projection projections.Projection
	isQuiet    func(domain.Event) bool
}{
	"identity.user":       {projections.UsersProjection, identity.User{}.IsQuiet},
	"identity.role":       {projections.RolesProjection, never},
	"identity.permission": {projections.RolesProjection, identity.PermissionDefinition{}.IsQuiet},
	"identity.profile":    {projections.ProfilesProjection, never},
	"identity.contact":    {projections.ContactsProjection, identity.Contact{}.IsQuiet},
}

func never(domain.Event) bool { return false }

// What readers are shown has the revision that deciders know: a rule writes a row about exactly those facts that are not
// quiet.
func TestReadersAndDecidersKnowTheSameRevisions(t *testing.T) {
	for _, typ := range crm.Types {
		if !slices.ContainsFunc(projections.CustomersProjection.Rules, func(r projections.Rule) bool { return r.Type == typ.Name }) {
			t.Errorf("%s is a new revision, and not shown", typ.Name)
		}
	}
	for _, typ := range identity.Types {
		of, known := shownBy[typ.Name[:strings.LastIndex(typ.Name, ".")]]
		if !known {
			continue
		}
		shown := slices.ContainsFunc(of.projection.Rules, func(r projections.Rule) bool { return r.Type == typ.Name })
		if quiet := of.isQuiet(typ.New()); shown == quiet {
			t.Errorf("%s: quiet %t, shown %t", typ.Name, quiet, shown)
		}
	}
}
