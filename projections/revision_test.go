package projections_test

import (
	"slices"
	"strings"
	"testing"

	"gesta/domain/identity"
	"gesta/projections"
)

// shownBy are the read models of what has revisions; of these, users alone have quiet facts.
var shownBy = map[string]projections.Projection{
	"identity.user": projections.UsersProjection, "identity.profile": projections.ProfilesProjection, "identity.contact": projections.ContactsProjection,
}

// What readers are shown has the revision that deciders know: a rule writes about exactly those facts that are not
// quiet.
func TestReadersAndDecidersKnowTheSameRevisions(t *testing.T) {
	for _, typ := range identity.Types {
		of, known := shownBy[typ.Name[:strings.LastIndex(typ.Name, ".")]]
		if !known {
			continue
		}
		shown := slices.ContainsFunc(of.Rules, func(r projections.Rule) bool { return r.Type == typ.Name })
		if quiet := (identity.User{}).IsQuiet(typ.New()); shown == quiet {
			t.Errorf("%s: quiet %t, shown %t", typ.Name, quiet, shown)
		}
	}
}
