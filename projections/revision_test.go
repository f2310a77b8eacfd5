package projections_test

import (
	"slices"
	"strings"
	"testing"

	"gesta/domain/crm"
	"gesta/domain/identity"
	"gesta/projections"
)

// What readers are shown has the revision that deciders know: a rule writes about exactly those facts that are not
// quiet.
func TestReadersAndDecidersKnowTheSameRevisions(t *testing.T) {
	for _, typ := range crm.Types {
		if !slices.ContainsFunc(projections.CustomersProjection.Rules, func(r projections.Rule) bool { return r.Type == typ.Name }) {
			t.Errorf("%s is a new revision, and not shown", typ.Name)
		}
	}
	for _, typ := range identity.Types {
		if !strings.HasPrefix(typ.Name, "identity.user.") {
			continue
		}
		shown := slices.ContainsFunc(projections.UsersProjection.Rules, func(r projections.Rule) bool { return r.Type == typ.Name })
		if quiet := (identity.User{}).IsQuiet(typ.New()); shown == quiet {
			t.Errorf("%s: quiet %t, shown %t", typ.Name, quiet, shown)
		}
	}
}
