package identity

import (
	"slices"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/value"
)

// UserID and SessionID name this context's things.
type (
	UserID    = id.User
	SessionID = id.Session
)

// Refusals.
var (
	ErrUserNotFound = &domain.Fault{Kind: domain.NotFound, Code: "user_not_found", Text: "user not found"}
	ErrEmailTaken   = &domain.Fault{Kind: domain.Conflict, Code: "email_taken", Text: "email is already registered"}
	ErrUserExists   = &domain.Fault{Kind: domain.Conflict, Code: "user_exists", Text: "user already exists"}
	ErrInactive     = &domain.Fault{Kind: domain.Unauthenticated, Code: "user_inactive", Text: "inactive user"}

	ErrRoleNotAssigned = &domain.Fault{Kind: domain.NotFound, Code: "role_not_assigned", Text: "the user has no such role"}
	ErrManyRoles       = &domain.Fault{Kind: domain.Conflict, Code: "many_roles", Text: "the user has as many roles as one can have"}
)

// Facts.
type (
	// UserRegistered says that somebody has an account.
	UserRegistered struct {
		UserID       UserID      `json:"user_id" privacy:"public"`
		Realm        string      `json:"realm" privacy:"public"`
		Role         Role        `json:"role" privacy:"public"`
		Email        value.Email `json:"email" privacy:"personal:user_id"`
		Phone        value.Phone `json:"phone" privacy:"personal:user_id"`
		PasswordHash string      `json:"password_hash" privacy:"secret:user_id"`
	}
	// UserEmailChanged is the address that the user goes by from now on.
	UserEmailChanged struct {
		UserID UserID      `json:"user_id" privacy:"public"`
		Email  value.Email `json:"email" privacy:"personal:user_id"`
	}
	// UserPhoneChanged is the number that the user goes by from now on.
	UserPhoneChanged struct {
		UserID UserID      `json:"user_id" privacy:"public"`
		Phone  value.Phone `json:"phone" privacy:"personal:user_id"`
	}
	// UserPasswordChanged says that another password is good, and the old one no longer.
	UserPasswordChanged struct {
		UserID       UserID `json:"user_id" privacy:"public"`
		PasswordHash string `json:"password_hash" privacy:"secret:user_id"`
	}
	// UserPasswordRehashed is the same password under a new hash.
	UserPasswordRehashed struct {
		UserID       UserID `json:"user_id" privacy:"public"`
		PasswordHash string `json:"password_hash" privacy:"secret:user_id"`
	}
	// UserSignedIn says that somebody knew the password, and has a session.
	UserSignedIn struct {
		UserID    UserID    `json:"user_id" privacy:"public"`
		SessionID SessionID `json:"session_id" privacy:"public"`
	}
	// UserDeactivated says that an administrator has put the user out.
	UserDeactivated struct {
		UserID UserID `json:"user_id" privacy:"public"`
	}
	// UserReactivated says that an administrator lets the user in again.
	UserReactivated struct {
		UserID UserID `json:"user_id" privacy:"public"`
	}
	// UserRoleAssigned says that the user has one more role.
	UserRoleAssigned struct {
		UserID UserID `json:"user_id" privacy:"public"`
		RoleID RoleID `json:"role_id" privacy:"public"`
	}
	// UserRoleWithdrawn says that the user has a role no longer.
	UserRoleWithdrawn struct {
		UserID UserID `json:"user_id" privacy:"public"`
		RoleID RoleID `json:"role_id" privacy:"public"`
	}
)

func (UserRegistered) EventType() string       { return "identity.user.registered" }
func (UserEmailChanged) EventType() string     { return "identity.user.email_changed" }
func (UserPhoneChanged) EventType() string     { return "identity.user.phone_changed" }
func (UserPasswordChanged) EventType() string  { return "identity.user.password_changed" }
func (UserPasswordRehashed) EventType() string { return "identity.user.password_rehashed" }
func (UserSignedIn) EventType() string         { return "identity.user.signed_in" }
func (UserDeactivated) EventType() string      { return "identity.user.deactivated" }
func (UserReactivated) EventType() string      { return "identity.user.reactivated" }
func (UserRoleAssigned) EventType() string     { return "identity.user.role_assigned" }
func (UserRoleWithdrawn) EventType() string    { return "identity.user.role_withdrawn" }

var userTypes = []domain.Type{
	domain.TypeOf[UserRegistered](),
	domain.TypeOf[UserEmailChanged](),
	domain.TypeOf[UserPhoneChanged](),
	domain.TypeOf[UserPasswordChanged](),
	domain.TypeOf[UserPasswordRehashed](),
	domain.TypeOf[UserSignedIn](),
	domain.TypeOf[UserDeactivated](),
	domain.TypeOf[UserReactivated](),
	domain.TypeOf[UserRoleAssigned](),
	domain.TypeOf[UserRoleWithdrawn](),
}

// User is somebody with an e-mail address and a password in one realm.
type User struct {
	ID                   UserID
	Realm                string
	Role                 Role
	Email                value.Email
	Phone                value.Phone
	PasswordHash         string
	Active               bool
	Roles                []RoleID // in the order of their assignment
	CreatedAt, UpdatedAt time.Time
}

// UserStream is where a user's facts are.
func UserStream(u UserID) domain.Stream { return domain.Stream{Kind: "identity.user", ID: u.ID} }

// Actor is how a user is named as the one who caused an event.
func Actor(u UserID) string { return "user/" + u.String() }

// EmailClaim is held by the user registered with that address; a deactivated one keeps it.
func EmailClaim(realm string, e value.Email) domain.Claim {
	return domain.Claim{Scope: "email/" + realm, Name: string(e)}
}

// Claims are the names that only this user may hold.
func (u User) Claims() []domain.Claim {
	if u.ID.IsZero() {
		return nil
	}
	return []domain.Claim{EmailClaim(u.Realm, u.Email)}
}

// Refuse says that another user holds the address.
func (User) Refuse(domain.Claim) error { return ErrEmailTaken }

// IsQuiet tells the facts that change nothing that is shown of a user.
func (User) IsQuiet(e domain.Event) bool {
	switch e.(type) {
	case UserSignedIn, UserPasswordRehashed, UserRoleAssigned, UserRoleWithdrawn:
		return true
	}
	return false
}

// Evolve is what each fact means for the user.
func (u User) Evolve(e domain.Event, at time.Time) User {
	switch e := e.(type) {
	case UserRegistered:
		return User{
			ID: e.UserID, Realm: e.Realm, Role: e.Role, Email: e.Email, Phone: e.Phone,
			PasswordHash: e.PasswordHash, Active: true, CreatedAt: at, UpdatedAt: at,
			Roles: []RoleID{SystemRoleID(e.Realm, e.Role)},
		}
	case UserSignedIn:
		return u
	case UserRoleAssigned:
		u.Roles = append(slices.Clone(u.Roles), e.RoleID)
		return u
	case UserRoleWithdrawn:
		u.Roles = slices.DeleteFunc(slices.Clone(u.Roles), func(r RoleID) bool { return r == e.RoleID })
		return u
	case UserPasswordRehashed:
		u.PasswordHash = e.PasswordHash
		return u
	case UserEmailChanged:
		u.Email = e.Email
	case UserPhoneChanged:
		u.Phone = e.Phone
	case UserPasswordChanged:
		u.PasswordHash = e.PasswordHash
	case UserDeactivated:
		u.Active = false
	case UserReactivated:
		u.Active = true
	}
	u.UpdatedAt = at
	return u
}

// Commands.
type (
	RegisterUser struct {
		User         UserID
		Realm        string
		Role         Role
		Email        value.Email
		Phone        value.Phone
		PasswordHash string
	}
	ChangeEmail struct {
		User  UserID
		Email value.Email
	}
	ChangePhone struct {
		User  UserID
		Phone value.Phone
	}
	ChangePassword struct {
		User UserID
		Hash string
	}
	// SignIn follows a password that was right. Rehash is a new hash of it where the old one was made at
	// another cost, which would tell by its time that the user exists; empty where it was not.
	SignIn struct {
		User    UserID
		Session SessionID
		Rehash  string
	}
	DeactivateUser struct{ User UserID }
	ReactivateUser struct{ User UserID }
	AssignRole     struct {
		User UserID
		Role RoleID
	}
	UnassignRole struct {
		User UserID
		Role RoleID
	}
)

func (c RegisterUser) Target() domain.Stream   { return UserStream(c.User) }
func (c ChangeEmail) Target() domain.Stream    { return UserStream(c.User) }
func (c ChangePhone) Target() domain.Stream    { return UserStream(c.User) }
func (c ChangePassword) Target() domain.Stream { return UserStream(c.User) }
func (c SignIn) Target() domain.Stream         { return UserStream(c.User) }
func (c DeactivateUser) Target() domain.Stream { return UserStream(c.User) }
func (c ReactivateUser) Target() domain.Stream { return UserStream(c.User) }
func (c AssignRole) Target() domain.Stream     { return UserStream(c.User) }
func (c UnassignRole) Target() domain.Stream   { return UserStream(c.User) }

// Decide registers somebody once.
func (c RegisterUser) Decide(u User) ([]domain.Event, error) {
	if !u.ID.IsZero() {
		return nil, ErrUserExists
	}
	return []domain.Event{UserRegistered{
		UserID: c.User, Realm: c.Realm, Role: c.Role,
		Email: c.Email, Phone: c.Phone, PasswordHash: c.PasswordHash,
	}}, nil
}

// Decide changes the address; the same address changes nothing.
func (c ChangeEmail) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Email != c.Email, UserEmailChanged{UserID: c.User, Email: c.Email})
}

// Decide changes the number; the same number changes nothing.
func (c ChangePhone) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Phone != c.Phone, UserPhoneChanged{UserID: c.User, Phone: c.Phone})
}

// Decide changes the password.
func (c ChangePassword) Decide(u User) ([]domain.Event, error) {
	return u.change(true, UserPasswordChanged{UserID: c.User, PasswordHash: c.Hash})
}

// Decide records that the user signed in, which an inactive one can't.
func (c SignIn) Decide(u User) ([]domain.Event, error) {
	if !u.ID.IsZero() && !u.Active {
		return nil, ErrInactive
	}
	events, err := u.change(true, UserSignedIn{UserID: c.User, SessionID: c.Session})
	if err == nil && c.Rehash != "" {
		events = append(events, UserPasswordRehashed{UserID: c.User, PasswordHash: c.Rehash})
	}
	return events, err
}

// Decide puts an active user out.
func (c DeactivateUser) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Active, UserDeactivated{UserID: c.User})
}

// Decide lets an inactive user in again.
func (c ReactivateUser) Decide(u User) ([]domain.Event, error) {
	return u.change(!u.Active, UserReactivated{UserID: c.User})
}

// Decide gives the user a role; one that he has changes nothing.
func (c AssignRole) Decide(u User) ([]domain.Event, error) {
	if !u.Has(c.Role) && len(u.Roles) >= maxRoles {
		return nil, ErrManyRoles
	}
	return u.change(!u.Has(c.Role), UserRoleAssigned{UserID: c.User, RoleID: c.Role})
}

// Decide takes a role from the user, who must have it.
func (c UnassignRole) Decide(u User) ([]domain.Event, error) {
	if !u.ID.IsZero() && !u.Has(c.Role) {
		return nil, ErrRoleNotAssigned
	}
	return u.change(true, UserRoleWithdrawn{UserID: c.User, RoleID: c.Role})
}

// Has tells whether the user has a role.
func (u User) Has(r RoleID) bool { return slices.Contains(u.Roles, r) }

// maxRoles bounds what is read to find out what somebody may do.
const maxRoles = 50

// change records e about a user there is, if anything is new about it.
func (u User) change(isNew bool, e domain.Event) ([]domain.Event, error) {
	switch {
	case u.ID.IsZero():
		return nil, ErrUserNotFound
	case !isNew:
		return nil, nil
	}
	return []domain.Event{e}, nil
}
