package promenade

import "gesta/domain/identity"

// The realm's words for what its system roles are.
const (
	SuperAdmin identity.Role = "superadmin" // runs the realm
	Admin      identity.Role = "admin"
	Manager    identity.Role = "manager"
	User       identity.Role = "user" // whoever registers
	Guest      identity.Role = "guest"
)

// Realm is the population of this surface.
func Realm() identity.Realm {
	return identity.Realm{
		Name: "promenade", Roles: []identity.Role{SuperAdmin, Admin, Manager, User, Guest},
		Administrator: SuperAdmin, MinPassword: 8, MixedPassword: true, SignUp: identity.SignUpClosed,
	}
}
