package promenade

import (
	"time"

	"gesta/domain/identity"
)

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
		Administrator: SuperAdmin, Newcomer: User, MinPassword: 8, MixedPassword: true, SignUp: identity.SignUpClosed, ParseName: identity.ParseName,
		SystemRoles: systemRoles, Permissions: permissions,
		FailedSignIns: identity.FailureRule{Failures: 5, Within: time.Minute}, Lockout: identity.Lockout{Failures: 5, For: 30 * time.Minute},
	}
}

// systemRoles are what the realm's roles may do until an administrator decides otherwise.
var systemRoles = []identity.SystemRole{
	{Name: SuperAdmin, DisplayName: "Super administrator", Description: "Runs the platform", Permissions: []identity.Permission{"*:*"}},
	{Name: Admin, DisplayName: "Administrator", Description: "Administers users, roles and customers", Permissions: []identity.Permission{"*:*"}},
	{Name: Manager, DisplayName: "Manager", Description: "Works with customers", Permissions: []identity.Permission{"customers:*"}},
	{Name: User, DisplayName: "User", Description: "Whoever registers", Permissions: []identity.Permission{"customers:*"}},
	{Name: Guest, DisplayName: "Guest", Description: "May do nothing of its own"},
}

// permissions are those that rows ask for.
var permissions = []identity.Permission{
	"users:read", "users:suspend", "users:ban", "users:activate", "users:unlock",
	"roles:read", "roles:create", "roles:update", "roles:delete", "roles:assign",
	"permissions:read", "permissions:create", "permissions:update", "permissions:delete",
	"customers:read", "customers:create", "customers:update", "customers:delete",
}

// StaffOnly is what the hardened profile keeps from those who are users and nothing else.
var StaffOnly = []identity.Permission{"customers:*"}
