package identity

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// PermissionID names the definition of a permission.
type PermissionID = id.Permission

// Refusals.
var (
	ErrPermissionNotFound = &domain.Fault{Kind: domain.NotFound, Code: "permission_not_found", Text: "permission not found"}
	ErrPermissionExists   = &domain.Fault{Kind: domain.Conflict, Code: "permission_exists", Text: "that permission exists"}
	ErrSystemPermission   = &domain.Fault{Kind: domain.Forbidden, Code: "system_permission", Text: "permissions that the system asks for can't be deleted"}
)

// Facts.
type (
	// PermissionCreated says that there is a permission from now on that roles can be granted.
	PermissionCreated struct {
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		Realm        string       `json:"realm" privacy:"public"`
		Resource     string       `json:"resource" privacy:"public"` // a kind of things, or *
		Action       string       `json:"action" privacy:"public"`   // what can be done to them, or *
		Description  string       `json:"description" privacy:"public"`
	}
	// PermissionDescriptionChanged is what is said about the permission from now on.
	PermissionDescriptionChanged struct {
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		Description  string       `json:"description" privacy:"public"`
	}
	// PermissionDeleted says that no role can be granted the permission any more.
	PermissionDeleted struct {
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		Realm        string       `json:"realm" privacy:"public"`
	}
	// PermissionGranted says that a role holds the permission from now on, for whoever would delete it at the same moment.
	PermissionGranted struct {
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		RoleID       RoleID       `json:"role_id" privacy:"public"`
	}
)

func (PermissionCreated) EventType() string { return "identity.permission.created" }
func (PermissionDescriptionChanged) EventType() string {
	return "identity.permission.description_changed"
}
func (PermissionDeleted) EventType() string { return "identity.permission.deleted" }
func (PermissionGranted) EventType() string { return "identity.permission.granted" }

var permissionTypes = []domain.Type{
	domain.TypeOf[PermissionCreated](),
	domain.TypeOf[PermissionDescriptionChanged](),
	domain.TypeOf[PermissionDeleted](),
	domain.TypeOf[PermissionGranted](),
}

// PermissionDefinition is a permission of a realm that roles can be granted.
type PermissionDefinition struct {
	ID                            PermissionID
	Realm                         string
	Resource, Action, Description string
	Deleted                       bool
	CreatedAt, UpdatedAt          time.Time
}

// PermissionStream is where a permission's facts are.
func PermissionStream(p PermissionID) domain.Stream {
	return domain.Stream{Kind: "identity.permission", ID: p.ID}
}

// SystemPermissionID names a permission that a realm has from the beginning.
func SystemPermissionID(realm string, p Permission) PermissionID {
	return PermissionID{ID: id.Named("permission/" + realm + "/" + string(p))}
}

// PermissionClaim is held by the definition of a permission.
func PermissionClaim(realm string, p Permission) domain.Claim {
	return domain.Claim{Scope: "permission/" + realm, Name: string(p)}
}

// Exists tells whether roles of a realm can be granted the permission.
func (d PermissionDefinition) Exists(realm string) bool {
	return !d.ID.IsZero() && !d.Deleted && d.Realm == realm
}

// Name is the permission itself.
func (d PermissionDefinition) Name() Permission { return PermissionTo(d.Resource, d.Action) }

// Claims are the permission's name within its realm.
func (d PermissionDefinition) Claims() []domain.Claim {
	if !d.Exists(d.Realm) {
		return nil
	}
	return []domain.Claim{PermissionClaim(d.Realm, d.Name())}
}

// Refuse says that another definition has the name.
func (PermissionDefinition) Refuse(domain.Claim) error { return ErrPermissionExists }

// IsQuiet tells the fact that changes nothing that is shown of a permission.
func (PermissionDefinition) IsQuiet(e domain.Event) bool {
	_, granted := e.(PermissionGranted)
	return granted
}

// Evolve is what each fact means for the permission.
func (d PermissionDefinition) Evolve(e domain.Event, at time.Time) PermissionDefinition {
	switch e := e.(type) {
	case PermissionCreated:
		d = PermissionDefinition{
			ID: e.PermissionID, Realm: e.Realm, Resource: e.Resource, Action: e.Action, Description: e.Description, CreatedAt: at,
		}
	case PermissionDescriptionChanged:
		d.Description = e.Description
	case PermissionDeleted:
		d.Deleted = true
	case PermissionGranted:
		return d
	}
	d.UpdatedAt = at
	return d
}

// Commands.
type (
	CreatePermission struct {
		Permission                    PermissionID
		Realm                         string
		Resource, Action, Description string
	}
	DescribePermission struct {
		Permission  PermissionID
		Description string
	}
	DeletePermission struct{ Permission PermissionID }
	// UsePermission goes with its being granted to a role.
	UsePermission struct {
		Permission PermissionID
		Role       RoleID
	}
)

func (c CreatePermission) Target() domain.Stream   { return PermissionStream(c.Permission) }
func (c DescribePermission) Target() domain.Stream { return PermissionStream(c.Permission) }
func (c DeletePermission) Target() domain.Stream   { return PermissionStream(c.Permission) }
func (c UsePermission) Target() domain.Stream      { return PermissionStream(c.Permission) }

// Decide makes a permission once.
func (c CreatePermission) Decide(d PermissionDefinition) ([]domain.Event, error) {
	if !d.ID.IsZero() {
		return nil, ErrPermissionExists
	}
	return []domain.Event{PermissionCreated{
		PermissionID: c.Permission, Realm: c.Realm, Resource: c.Resource, Action: c.Action, Description: c.Description,
	}}, nil
}

// Decide describes the permission otherwise than before.
func (c DescribePermission) Decide(d PermissionDefinition) ([]domain.Event, error) {
	return d.change(c.Description != d.Description, PermissionDescriptionChanged{c.Permission, c.Description})
}

// Decide deletes a permission.
func (c DeletePermission) Decide(d PermissionDefinition) ([]domain.Event, error) {
	return d.change(true, PermissionDeleted{c.Permission, d.Realm})
}

// Decide notes that a role is granted the permission.
func (c UsePermission) Decide(d PermissionDefinition) ([]domain.Event, error) {
	return d.change(true, PermissionGranted{c.Permission, c.Role})
}

// change records e about a permission there is, if anything is new about it.
func (d PermissionDefinition) change(isNew bool, e domain.Event) ([]domain.Event, error) {
	switch {
	case !d.Exists(d.Realm):
		return nil, ErrPermissionNotFound
	case !isNew:
		return nil, nil
	}
	return []domain.Event{e}, nil
}

// Permission is what somebody may do to things of a kind, as in customers:read. A * stands for every kind of thing, or
// for everything that can be done to one.
type Permission string

// anything is the word that stands for all words.
const anything = "*"

var permissionWord = regexp.MustCompile(`^(\*|[a-z][a-z0-9_-]{1,49})$`)

// ErrPermissionWord refuses half of a permission.
var ErrPermissionWord = errors.New("must be * or 2 to 50 of a-z, 0-9, _ and -, beginning with a letter")

// ParsePermissionWord reads a resource or an action, in any case.
func ParsePermissionWord(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if !permissionWord.MatchString(s) {
		return "", ErrPermissionWord
	}
	return s, nil
}

// PermissionTo names a permission by its halves, as ParsePermissionWord made them.
func PermissionTo(resource, action string) Permission { return Permission(resource + ":" + action) }

// Parts takes a permission apart.
func (p Permission) Parts() (resource, action string) {
	resource, action, _ = strings.Cut(string(p), ":")
	return resource, action
}

// Covers tells whether who holds p may do what o asks for; all that o stands for, where it has a * itself.
func (p Permission) Covers(o Permission) bool {
	resource, action := p.Parts()
	otherResource, otherAction := o.Parts()
	return (resource == anything || resource == otherResource) && (action == anything || action == otherAction)
}
