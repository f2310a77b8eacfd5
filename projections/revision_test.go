package projections_test

import (
	"slices"
	"strings"
	"testing"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/projections"
)

// What readers are shown has the revision that deciders know: a rule writes a row about exactly those facts that are not
// quiet.
func TestReadersAndDecidersKnowTheSameRevisions(t *testing.T) {
	for kind, of := range map[string]struct {
		projection projections.Projection
		isQuiet    func(domain.Event) bool
	}{
		"identity.user.":       {projections.UsersProjection, identity.User{}.IsQuiet},
		"identity.role.":       {projections.RolesProjection, func(domain.Event) bool { return false }},
		"identity.permission.": {projections.RolesProjection, identity.PermissionDefinition{}.IsQuiet},
	} {
		for _, typ := range identity.Types {
			shown := slices.ContainsFunc(of.projection.Rules, func(r projections.Rule) bool { return r.Type == typ.Name })
			if strings.HasPrefix(typ.Name, kind) && shown == of.isQuiet(typ.New()) {
				t.Errorf("%s: quiet %t, shown %t", typ.Name, !shown, shown)
			}
		}
	}
}
