package identity

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/value"
)

// RoleID names the definition of a role.
type RoleID = id.Role

// Refusals.
var (
	ErrRoleNotFound = &domain.Fault{Kind: domain.NotFound, Code: "role_not_found", Text: "role not found"}
	ErrRoleExists   = &domain.Fault{Kind: domain.Conflict, Code: "role_exists", Text: "a role of that name exists"}
	ErrSystemRole   = &domain.Fault{Kind: domain.Forbidden, Code: "system_role", Text: "system roles can't be deleted"}
	ErrFixedGrants  = &domain.Fault{Kind: domain.Forbidden, Code: "fixed_grants", Text: "the permissions of this role can't be changed"}
	ErrNotGranted   = &domain.Fault{Kind: domain.NotFound, Code: "permission_not_granted", Text: "the role has no such permission"}
	ErrManyGrants   = &domain.Fault{Kind: domain.Conflict, Code: "many_grants", Text: "the role has as many permissions as one can have"}
)

// Facts.
type (
	// RoleCreated says that there is a role from now on, which holds no permission yet.
	RoleCreated struct {
		RoleID      RoleID `json:"role_id" privacy:"public"`
		Realm       string `json:"realm" privacy:"public"`
		Name        Role   `json:"name" privacy:"public"`
		DisplayName string `json:"display_name" privacy:"public"`
		Description string `json:"description" privacy:"public"`
		System      bool   `json:"system" privacy:"public"` // it is one of the realm's own
	}
	// RoleChanged is what the role is shown as from now on.
	RoleChanged struct {
		RoleID      RoleID `json:"role_id" privacy:"public"`
		DisplayName string `json:"display_name" privacy:"public"`
		Description string `json:"description" privacy:"public"`
	}
	// RoleDeleted says that the role counts for nothing any more, whoever has it.
	RoleDeleted struct {
		RoleID RoleID `json:"role_id" privacy:"public"`
		Realm  string `json:"realm" privacy:"public"`
	}
	// RolePermissionGranted says that whoever has the role may do something more.
	RolePermissionGranted struct {
		RoleID       RoleID       `json:"role_id" privacy:"public"`
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		Permission   Permission   `json:"permission" privacy:"public"`
	}
	// RolePermissionWithdrawn says that the role does not allow something any more.
	RolePermissionWithdrawn struct {
		RoleID       RoleID       `json:"role_id" privacy:"public"`
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		Permission   Permission   `json:"permission" privacy:"public"`
	}
)

func (RoleCreated) EventType() string             { return "identity.role.created" }
func (RoleChanged) EventType() string             { return "identity.role.changed" }
func (RoleDeleted) EventType() string             { return "identity.role.deleted" }
func (RolePermissionGranted) EventType() string   { return "identity.role.permission_granted" }
func (RolePermissionWithdrawn) EventType() string { return "identity.role.permission_withdrawn" }

var roleTypes = []domain.Type{
	domain.TypeOf[RoleCreated](),
	domain.TypeOf[RoleChanged](),
	domain.TypeOf[RoleDeleted](),
	domain.TypeOf[RolePermissionGranted](),
	domain.TypeOf[RolePermissionWithdrawn](),
}

// RoleDefinition is what a role of a realm is called and what it allows.
type RoleDefinition struct {
	ID                       RoleID
	Realm                    string
	Name                     Role
	DisplayName, Description string
	System, Deleted          bool
	Grants                   []Granted // in the order in which they were granted
	CreatedAt, UpdatedAt     time.Time
}

// Granted is a permission that a role holds.
type Granted struct {
	ID         PermissionID
	Permission Permission
}

// RoleStream is where a role's facts are.
func RoleStream(r RoleID) domain.Stream { return domain.Stream{Kind: "identity.role", ID: r.ID} }

// SystemRoleID names the role that a realm has by that name from the beginning.
func SystemRoleID(realm string, name Role) RoleID {
	return RoleID{ID: id.Named("role/" + realm + "/" + string(name))}
}

// PermissionUse is the scope of the claims of the roles that hold a permission.
func PermissionUse(p PermissionID) string { return "permission_use/" + p.String() }

// Exists tells whether the role counts for anything in a realm.
func (d RoleDefinition) Exists(realm string) bool {
	return !d.ID.IsZero() && !d.Deleted && d.Realm == realm
}

// Allows tells whether a permission of the role covers p.
func (d RoleDefinition) Allows(p Permission) bool {
	return slices.ContainsFunc(d.Grants, func(g Granted) bool { return g.Permission.Covers(p) })
}

// RoleClaim is held by the role of that name.
func RoleClaim(realm string, name Role) domain.Claim {
	return domain.Claim{Scope: "role/" + realm, Name: string(name)}
}

// Claims are the role's name within its realm, and one in the scope of each permission that it holds.
func (d RoleDefinition) Claims() (all []domain.Claim) {
	if !d.Exists(d.Realm) {
		return nil
	}
	all = append(all, RoleClaim(d.Realm, d.Name))
	for _, g := range d.Grants {
		all = append(all, domain.Claim{Scope: PermissionUse(g.ID), Name: d.ID.String()})
	}
	return all
}

// Refuse says that another role has the name; no other could hold a claim on a permission's use.
func (RoleDefinition) Refuse(domain.Claim) error { return ErrRoleExists }

// Evolve is what each fact means for the role.
func (d RoleDefinition) Evolve(e domain.Event, at time.Time) RoleDefinition {
	switch e := e.(type) {
	case RoleCreated:
		d = RoleDefinition{
			ID: e.RoleID, Realm: e.Realm, Name: e.Name, DisplayName: e.DisplayName, Description: e.Description,
			System: e.System, CreatedAt: at,
		}
	case RoleChanged:
		d.DisplayName, d.Description = e.DisplayName, e.Description
	case RoleDeleted:
		d.Deleted = true
	case RolePermissionGranted:
		d.Grants = append(slices.Clone(d.Grants), Granted{e.PermissionID, e.Permission})
	case RolePermissionWithdrawn:
		d.Grants = slices.DeleteFunc(slices.Clone(d.Grants), func(g Granted) bool { return g.ID == e.PermissionID })
	}
	d.UpdatedAt = at
	return d
}

// Commands.
type (
	CreateRole struct {
		Role                     RoleID
		Realm                    string
		Name                     Role
		DisplayName, Description string
		System                   bool
	}
	// ChangeRole changes what is not nil.
	ChangeRole struct {
		Role                     RoleID
		DisplayName, Description *string
	}
	DeleteRole      struct{ Role RoleID }
	GrantPermission struct {
		Role       RoleID
		ID         PermissionID
		Permission Permission
	}
	WithdrawPermission struct {
		Role RoleID
		ID   PermissionID
	}
)

func (c CreateRole) Target() domain.Stream         { return RoleStream(c.Role) }
func (c ChangeRole) Target() domain.Stream         { return RoleStream(c.Role) }
func (c DeleteRole) Target() domain.Stream         { return RoleStream(c.Role) }
func (c GrantPermission) Target() domain.Stream    { return RoleStream(c.Role) }
func (c WithdrawPermission) Target() domain.Stream { return RoleStream(c.Role) }

// Decide makes a role once.
func (c CreateRole) Decide(d RoleDefinition) ([]domain.Event, error) {
	if !d.ID.IsZero() {
		return nil, ErrRoleExists
	}
	return []domain.Event{RoleCreated{
		RoleID: c.Role, Realm: c.Realm, Name: c.Name,
		DisplayName: c.DisplayName, Description: c.Description, System: c.System,
	}}, nil
}

// Decide changes how the role is shown; its name stays.
func (c ChangeRole) Decide(d RoleDefinition) ([]domain.Event, error) {
	e := RoleChanged{RoleID: c.Role, DisplayName: d.DisplayName, Description: d.Description}
	if c.DisplayName != nil {
		e.DisplayName = *c.DisplayName
	}
	if c.Description != nil {
		e.Description = *c.Description
	}
	return d.change(e.DisplayName != d.DisplayName || e.Description != d.Description, e)
}

// Decide deletes a role, unless it is one of the realm's own.
func (c DeleteRole) Decide(d RoleDefinition) ([]domain.Event, error) {
	if d.System {
		return nil, ErrSystemRole
	}
	return d.change(true, RoleDeleted{RoleID: c.Role, Realm: d.Realm})
}

// Decide grants a permission; one that the role holds changes nothing.
func (c GrantPermission) Decide(d RoleDefinition) ([]domain.Event, error) {
	_, has := d.Grant(c.ID)
	if !has && len(d.Grants) >= maxGrants {
		return nil, ErrManyGrants
	}
	return d.change(!has, RolePermissionGranted{RoleID: c.Role, PermissionID: c.ID, Permission: c.Permission})
}

// Decide withdraws a permission, which the role must hold.
func (c WithdrawPermission) Decide(d RoleDefinition) ([]domain.Event, error) {
	p, has := d.Grant(c.ID)
	if d.Exists(d.Realm) && !has {
		return nil, ErrNotGranted
	}
	return d.change(true, RolePermissionWithdrawn{RoleID: c.Role, PermissionID: c.ID, Permission: p})
}

// Grant answers what the role holds under the id of a permission, if it does.
func (d RoleDefinition) Grant(p PermissionID) (Permission, bool) {
	for _, g := range d.Grants {
		if g.ID == p {
			return g.Permission, true
		}
	}
	return "", false
}

// change records e about a role there is, if anything is new about it.
func (d RoleDefinition) change(isNew bool, e domain.Event) ([]domain.Event, error) {
	switch {
	case !d.Exists(d.Realm):
		return nil, ErrRoleNotFound
	case !isNew:
		return nil, nil
	}
	return []domain.Event{e}, nil
}

// maxGrants bounds the permissions of a role.
const maxGrants = 500

var roleName = regexp.MustCompile(`^[a-z0-9_-]{2,50}$`)

// ErrRoleName refuses what can't be a role's name.
var ErrRoleName = errors.New("must be 2 to 50 of a-z, 0-9, _ and -")

// ParseRoleName reads the name of a role, in any case.
func ParseRoleName(s string) (Role, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if !roleName.MatchString(s) {
		return "", ErrRoleName
	}
	return Role(s), nil
}

// ParseDisplayName reads what people call a role, or somebody with a profile; ParseDescription what there is to say about a role or a permission,
// which may be nothing.
var (
	ParseDisplayName = value.Line(2, 100)
	ParseDescription = value.Lines(0, 500)
)
