// Package identity holds the rules of who somebody is: users and their sessions, the roles and permissions of a realm
// with the roster of those who run it, and the profiles and contacts that users have.
package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gesta/domain"
	"gesta/domain/value"
)

// Types lists every fact of this context, once.
var Types = slices.Concat(
	userTypes, sessionTypes, rosterTypes, signInTypes, roleTypes, permissionTypes, profileTypes, contactTypes,
)

// Aggregates are the kinds of streams that these events are on.
var Aggregates = []domain.Aggregate{
	domain.AggregateOf[User]("identity.user"),
	domain.AggregateOf[Session]("identity.session"),
	domain.AggregateOf[Roster]("identity.roster"),
	domain.AggregateOf[SignIns]("identity.sign_in"),
	domain.AggregateOf[Profile]("identity.profile"),
	domain.AggregateOf[Contact]("identity.contact"),
	domain.AggregateOf[RoleDefinition]("identity.role"),
	domain.AggregateOf[PermissionDefinition]("identity.permission"),
}

// Role is a realm's word for what a user is there.
type Role string

// Realm is one population of users with its own roles and rules. An e-mail address may be registered
// once in each.
type Realm struct {
	Name          string
	Roles         []Role
	Administrator Role // runs the realm; its last active holder can't go
	MinPassword   int  // characters
	MixedPassword bool // letters and digits
	SignUp        SignUp
	FailedSignIns FailureRule
	Lockout       Lockout
	Newcomer      Role                         // whoever registers in public; "" where anybody says what he is
	ParseName     func(string) (string, error) // nil where users have no names

	SystemRoles []SystemRole // what the realm's roles may do; none where only the words count
	Permissions []Permission // that rows ask for
	StaffOnly   []Permission // that a newcomer's role does not give, whatever it holds

	ProvenContacts bool // whether an address counts as verified only by a code that was sent to it
}

// Allows tells whether a role of this realm gives a permission.
func (r Realm) Allows(d RoleDefinition, p Permission) bool {
	if d.Name == r.Newcomer && slices.ContainsFunc(r.StaffOnly, func(s Permission) bool { return s.Covers(p) }) {
		return false
	}
	return d.Exists(r.Name) && d.Allows(p)
}

// SystemRole is a role that a realm has from the beginning.
type SystemRole struct {
	Name                     Role
	DisplayName, Description string
	Permissions              []Permission // at the beginning
}

// SignUp says who may register as an administrator without being invited by one.
type SignUp string

// The ways a realm can hold it.
const (
	SignUpFirst  SignUp = "bootstrap" // only while the realm has no administrator
	SignUpOpen   SignUp = "open"      // everybody
	SignUpClosed SignUp = "closed"    // nobody
)

// Caller is who asks, as the token said and the session confirmed. The zero Caller is nobody.
type Caller struct {
	Realm   string
	User    UserID
	Session SessionID
	Role    Role
}

// ParseRole refuses words that are no role of this realm.
func (r Realm) ParseRole(s string) (Role, error) {
	if !slices.Contains(r.Roles, Role(s)) {
		return "", fmt.Errorf("must be one of %s", r.roleWords())
	}
	return Role(s), nil
}

func (r Realm) roleWords() string {
	words := make([]string, len(r.Roles))
	for i, role := range r.Roles {
		words[i] = string(role)
	}
	return strings.Join(words, ", ")
}

// Bcrypt reads no further than this.
const maxPasswordBytes = 72

// Refusals of passwords.
var (
	ErrLongPassword = errors.New("must have at most 72 bytes") // the hash would cut it
	ErrNoPassword   = errors.New("is required")
	ErrNoText       = errors.New("must be text")

	ErrPlainPassword = errors.New("must have a letter and a digit at least")
)

// ParsePresented refuses what can't be anybody's password.
func ParsePresented(s string) (string, error) {
	switch {
	case s == "":
		return "", ErrNoPassword
	case len(s) > maxPasswordBytes:
		return "", ErrLongPassword
	}
	return s, nil
}

// ParsePassword refuses passwords that are too short for this realm or too long for the hash.
func (r Realm) ParsePassword(s string) (string, error) {
	switch {
	case len([]rune(s)) < r.MinPassword:
		return "", fmt.Errorf("must have at least %d characters", r.MinPassword)
	case len(s) > maxPasswordBytes:
		return "", ErrLongPassword
	case !value.IsText(s):
		return "", ErrNoText
	case r.MixedPassword && !(strings.ContainsFunc(s, unicode.IsLetter) && strings.ContainsFunc(s, unicode.IsDigit)):
		return "", ErrPlainPassword
	}
	return s, nil
}

// MayRegister tells whether by may make a user of that role; first says that it is allowed only while
// the realm has no administrator.
func (r Realm) MayRegister(role Role, by Caller) (first bool, err error) {
	switch {
	case r.isRun(by), r.Newcomer == "" && role != r.Administrator, r.Newcomer != "" && role == r.Newcomer:
		return false, nil
	case role != r.Administrator:
		return false, ErrForbidden
	case r.SignUp == SignUpOpen:
		return false, nil
	case r.SignUp == SignUpFirst:
		return true, nil
	}
	return false, ErrForbidden
}

// isRun tells whether the caller runs the realm by his word alone. Where roles hold permissions a token's word may be out
// of date: there only the program itself does, which is no user.
func (r Realm) isRun(by Caller) bool {
	return by.Realm == r.Name && by.Role == r.Administrator && (len(r.SystemRoles) == 0 || by.User.IsZero())
}

// IsItself tells whether it is the program that asks, by command line or with demo data: it may do everything.
func (r Realm) IsItself(by Caller) bool { return r.isRun(by) && by.User.IsZero() }

// AdministratorID names the role that runs the realm.
func (r Realm) AdministratorID() RoleID { return SystemRoleID(r.Name, r.Administrator) }

// Catalogue lists each permission that the realm has from the beginning, once.
func (r Realm) Catalogue() (all []Permission) {
	all = slices.Clone(r.Permissions)
	for _, role := range r.SystemRoles {
		all = append(all, role.Permissions...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// AsksFor tells whether the realm needs a permission.
func (r Realm) AsksFor(p Permission) bool { return slices.Contains(r.Catalogue(), p) }

// Sees tells whether the caller may know of a user of this realm: everybody of himself, an
// administrator of all.
func (r Realm) Sees(c Caller, u UserID) bool {
	return c.Realm == r.Name && c.User == u || r.isRun(c)
}

// MaySwitch tells whether the caller may put a user out or let him in again: an administrator may, but
// not himself.
func (r Realm) MaySwitch(c Caller, u UserID) bool {
	return r.Sees(c, u) && c.User != u
}

// ErrForbidden refuses what the caller's role may not do.
var ErrForbidden = &domain.Fault{Kind: domain.Forbidden, Code: "forbidden", Text: "insufficient permissions"}
