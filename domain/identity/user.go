package identity

import (
	"cmp"
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
	ErrSuspended    = &domain.Fault{Kind: domain.Unauthenticated, Code: "user_suspended", Text: "this account is suspended"}
	ErrBanned       = &domain.Fault{Kind: domain.Unauthenticated, Code: "user_banned", Text: "this account is banned"}
	ErrIsBanned     = &domain.Fault{Kind: domain.Conflict, Code: "user_is_banned", Text: "a banned user can't be suspended"}

	ErrRoleNotAssigned = &domain.Fault{Kind: domain.NotFound, Code: "role_not_assigned", Text: "the user has no such role"}
	ErrManyRoles       = &domain.Fault{Kind: domain.Conflict, Code: "many_roles", Text: "the user has as many roles as one can have"}
)

// Status says whether a user may sign in, and why not.
type Status string

// What a user can be.
const (
	Active      Status = "active"
	Inactive    Status = "deactivated" // put out
	IsSuspended Status = "suspended"   // put out for a while
	IsBanned    Status = "banned"      // put out for good
)

// Facts.
type (
	// UserRegistered says that somebody has an account.
	UserRegistered struct {
		UserID       UserID      `json:"user_id" privacy:"public"`
		Realm        string      `json:"realm" privacy:"public"`
		Role         Role        `json:"role" privacy:"public"`
		Name         string      `json:"name,omitempty" privacy:"personal:user_id"`
		Email        value.Email `json:"email" privacy:"personal:user_id"`
		Phone        value.Phone `json:"phone" privacy:"personal:user_id"`
		PasswordHash string      `json:"password_hash" privacy:"secret:user_id"`
	}
	// UserEmailChanged is the address that the user goes by from now on.
	UserEmailChanged struct {
		UserID UserID      `json:"user_id" privacy:"public"`
		Email  value.Email `json:"email" privacy:"personal:user_id"`
	}
	// UserEmailVerificationRequested says that a code is to be sent, and good for a while, to see whether the user reads
	// what is sent to the address.
	UserEmailVerificationRequested struct {
		UserID    UserID    `json:"user_id" privacy:"public"`
		ExpiresAt time.Time `json:"expires_at" privacy:"public"`
		Code      Code      `json:"code" privacy:"secret:user_id"`
	}
	// UserEmailVerificationFailed says that a wrong code was given.
	UserEmailVerificationFailed struct {
		UserID UserID `json:"user_id" privacy:"public"`
		Number int    `json:"number" privacy:"public"` // of the wrong ones since a code was requested, this one included
	}
	// UserCodeRequested says that a code is to be sent to a contact of the user's.
	UserCodeRequested struct {
		UserID    UserID    `json:"user_id" privacy:"public"`
		ContactID ContactID `json:"contact_id" privacy:"public"`
	}
	// UserEmailVerified says that the user reads what is sent to the address.
	UserEmailVerified struct {
		UserID UserID `json:"user_id" privacy:"public"`
	}
	// UserNameChanged is what the user wants to be called from now on.
	UserNameChanged struct {
		UserID UserID `json:"user_id" privacy:"public"`
		Name   string `json:"name" privacy:"personal:user_id"`
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
	// UserSuspended says that an administrator has put the user out for a while.
	UserSuspended struct {
		UserID UserID `json:"user_id" privacy:"public"`
	}
	// UserBanned says that an administrator has put the user out for good.
	UserBanned struct {
		UserID UserID `json:"user_id" privacy:"public"`
		Was    Status `json:"was" privacy:"public"` // active or suspended
	}
	// UserReactivated says that an administrator lets the user in again.
	UserReactivated struct {
		UserID UserID `json:"user_id" privacy:"public"`
		Was    Status `json:"was,omitempty" privacy:"public"` // suspended or banned; left out for deactivated
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

func (UserRegistered) EventType() string   { return "identity.user.registered" }
func (UserEmailChanged) EventType() string { return "identity.user.email_changed" }
func (UserEmailVerificationRequested) EventType() string {
	return "identity.user.email_verification_requested"
}

func (UserEmailVerificationFailed) EventType() string {
	return "identity.user.email_verification_failed"
}
func (UserCodeRequested) EventType() string    { return "identity.user.code_requested" }
func (UserEmailVerified) EventType() string    { return "identity.user.email_verified" }
func (UserNameChanged) EventType() string      { return "identity.user.name_changed" }
func (UserPhoneChanged) EventType() string     { return "identity.user.phone_changed" }
func (UserPasswordChanged) EventType() string  { return "identity.user.password_changed" }
func (UserPasswordRehashed) EventType() string { return "identity.user.password_rehashed" }
func (UserSignedIn) EventType() string         { return "identity.user.signed_in" }
func (UserDeactivated) EventType() string      { return "identity.user.deactivated" }
func (UserSuspended) EventType() string        { return "identity.user.suspended" }
func (UserBanned) EventType() string           { return "identity.user.banned" }
func (UserReactivated) EventType() string      { return "identity.user.reactivated" }
func (UserRoleAssigned) EventType() string     { return "identity.user.role_assigned" }
func (UserRoleWithdrawn) EventType() string    { return "identity.user.role_withdrawn" }

var userTypes = []domain.Type{
	domain.TypeOf[UserRegistered](),
	domain.TypeOf[UserEmailChanged](),
	domain.TypeOf[UserEmailVerificationRequested](),
	domain.TypeOf[UserEmailVerificationFailed](),
	domain.TypeOf[UserCodeRequested](),
	domain.TypeOf[UserEmailVerified](),
	domain.TypeOf[UserNameChanged](),
	domain.TypeOf[UserPhoneChanged](),
	domain.TypeOf[UserPasswordChanged](),
	domain.TypeOf[UserPasswordRehashed](),
	domain.TypeOf[UserSignedIn](),
	domain.TypeOf[UserDeactivated](),
	domain.TypeOf[UserSuspended](),
	domain.TypeOf[UserBanned](),
	domain.TypeOf[UserReactivated](),
	domain.TypeOf[UserRoleAssigned](),
	domain.TypeOf[UserRoleWithdrawn](),
}

// User is somebody with an e-mail address and a password in one realm.
type User struct {
	ID                   UserID
	Realm                string
	Role                 Role
	Name                 string
	Email                value.Email
	EmailVerified        bool
	EmailProof           Proof // that is under way
	Codes                Codes // for this address and for contacts
	Phone                value.Phone
	PasswordHash         string
	Status               Status
	Roles                []RoleID // in the order of their assignment
	CreatedAt, UpdatedAt time.Time
}

// Enter refuses, in words, whoever may not sign in.
func (u User) Enter() error {
	switch u.Status {
	case Active:
		return nil
	case IsSuspended:
		return ErrSuspended
	case IsBanned:
		return ErrBanned
	}
	return ErrInactive
}

// ParseName reads what a user wants to be called.
var ParseName = value.Line(1, 100)

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
	case UserSignedIn, UserPasswordRehashed, UserRoleAssigned, UserRoleWithdrawn,
		UserEmailVerificationRequested, UserEmailVerificationFailed, UserCodeRequested:
		return true
	}
	return false
}

// Evolve is what each fact means for the user.
func (u User) Evolve(e domain.Event, at time.Time) User {
	switch e := e.(type) {
	case UserRegistered:
		return User{
			ID: e.UserID, Realm: e.Realm, Role: e.Role, Name: e.Name, Email: e.Email, Phone: e.Phone,
			PasswordHash: e.PasswordHash, Status: Active, CreatedAt: at, UpdatedAt: at,
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
	case UserEmailVerificationRequested:
		u.EmailProof, u.Codes = asked(e.Code, e.ExpiresAt, at), u.Codes.and(at)
		return u
	case UserCodeRequested:
		u.Codes = u.Codes.and(at)
		return u
	case UserEmailVerificationFailed:
		u.EmailProof.Wrong = e.Number
		return u
	case UserEmailChanged:
		u.Email, u.EmailVerified, u.EmailProof = e.Email, false, u.EmailProof.void()
	case UserEmailVerified:
		u.EmailVerified, u.EmailProof = true, u.EmailProof.void()
	case UserNameChanged:
		u.Name = e.Name
	case UserPhoneChanged:
		u.Phone = e.Phone
	case UserPasswordChanged:
		u.PasswordHash = e.PasswordHash
	case UserDeactivated:
		u.Status = Inactive
	case UserSuspended:
		u.Status = IsSuspended
	case UserBanned:
		u.Status = IsBanned
	case UserReactivated:
		u.Status = Active
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
		Name         string
		Email        value.Email
		Phone        value.Phone
		PasswordHash string
	}
	ChangeName struct {
		User UserID
		Name string
	}
	// VerifyEmail takes the user's word for it.
	VerifyEmail struct{ User UserID }
	// RequestEmailVerification wants a code to be sent.
	RequestEmailVerification struct {
		User UserID
		Code Code
		At   time.Time
	}
	// RequestCode goes with the request for a contact.
	RequestCode struct {
		User    UserID
		Contact ContactID
		At      time.Time
	}
	// ProveEmail brings the code that was sent.
	ProveEmail struct {
		User UserID
		Code Code
		At   time.Time
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
	SuspendUser    struct{ User UserID }
	BanUser        struct{ User UserID }
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

func (c RegisterUser) Target() domain.Stream { return UserStream(c.User) }
func (c ChangeName) Target() domain.Stream   { return UserStream(c.User) }
func (c VerifyEmail) Target() domain.Stream  { return UserStream(c.User) }
func (c RequestCode) Target() domain.Stream  { return UserStream(c.User) }
func (c ProveEmail) Target() domain.Stream   { return UserStream(c.User) }
func (c RequestEmailVerification) Target() domain.Stream {
	return UserStream(c.User)
}
func (c ChangeEmail) Target() domain.Stream    { return UserStream(c.User) }
func (c ChangePhone) Target() domain.Stream    { return UserStream(c.User) }
func (c ChangePassword) Target() domain.Stream { return UserStream(c.User) }
func (c SignIn) Target() domain.Stream         { return UserStream(c.User) }
func (c DeactivateUser) Target() domain.Stream { return UserStream(c.User) }
func (c SuspendUser) Target() domain.Stream    { return UserStream(c.User) }
func (c BanUser) Target() domain.Stream        { return UserStream(c.User) }
func (c ReactivateUser) Target() domain.Stream { return UserStream(c.User) }
func (c AssignRole) Target() domain.Stream     { return UserStream(c.User) }
func (c UnassignRole) Target() domain.Stream   { return UserStream(c.User) }

// Decide registers somebody once.
func (c RegisterUser) Decide(u User) ([]domain.Event, error) {
	if !u.ID.IsZero() {
		return nil, ErrUserExists
	}
	return []domain.Event{UserRegistered{
		UserID: c.User, Realm: c.Realm, Role: c.Role, Name: c.Name,
		Email: c.Email, Phone: c.Phone, PasswordHash: c.PasswordHash,
	}}, nil
}

// Decide changes the address; the same address changes nothing.
func (c ChangeEmail) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Email != c.Email, UserEmailChanged{UserID: c.User, Email: c.Email})
}

// Decide takes the address for proven; once is enough until it changes.
func (c VerifyEmail) Decide(u User) ([]domain.Event, error) {
	return u.change(!u.EmailVerified, UserEmailVerified{UserID: c.User})
}

// Decide asks for a code, again only after a while. What was asked for before is not good any more.
func (c RequestEmailVerification) Decide(u User) ([]domain.Event, error) {
	if !u.ID.IsZero() && !u.EmailVerified {
		if err := cmp.Or(u.EmailProof.ask(c.At), u.Codes.ask(c.At)); err != nil {
			return nil, err
		}
	}
	return u.change(!u.EmailVerified, UserEmailVerificationRequested{UserID: c.User, ExpiresAt: c.At.Add(CodeLife), Code: c.Code})
}

// Decide counts the codes that a user has asked for.
func (c RequestCode) Decide(u User) ([]domain.Event, error) {
	if err := u.Codes.ask(c.At); err != nil {
		return nil, err
	}
	return u.change(true, UserCodeRequested{UserID: c.User, ContactID: c.Contact})
}

// Decide takes the address for proven by the right code. That it was a wrong one is a fact: the next try is one of fewer,
// however many are made at once.
func (c ProveEmail) Decide(u User) ([]domain.Event, error) {
	if u.ID.IsZero() || u.EmailVerified {
		return u.change(false, nil)
	}
	right, err := u.EmailProof.try(c.Code, c.At)
	if err != nil {
		return nil, err
	}
	if !right {
		return u.change(true, UserEmailVerificationFailed{UserID: c.User, Number: u.EmailProof.Wrong + 1})
	}
	return u.change(true, UserEmailVerified{UserID: c.User})
}

// Decide changes the name; the same name changes nothing.
func (c ChangeName) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Name != c.Name, UserNameChanged{UserID: c.User, Name: c.Name})
}

// Decide changes the number; the same number changes nothing.
func (c ChangePhone) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Phone != c.Phone, UserPhoneChanged{UserID: c.User, Phone: c.Phone})
}

// Decide changes the password.
func (c ChangePassword) Decide(u User) ([]domain.Event, error) {
	return u.change(true, UserPasswordChanged{UserID: c.User, PasswordHash: c.Hash})
}

// Decide records that the user signed in, which only an active one can.
func (c SignIn) Decide(u User) ([]domain.Event, error) {
	if !u.ID.IsZero() && u.Status != Active {
		return nil, u.Enter()
	}
	events, err := u.change(true, UserSignedIn{UserID: c.User, SessionID: c.Session})
	if err == nil && c.Rehash != "" {
		events = append(events, UserPasswordRehashed{UserID: c.User, PasswordHash: c.Rehash})
	}
	return events, err
}

// Decide puts an active user out.
func (c DeactivateUser) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Status == Active, UserDeactivated{UserID: c.User})
}

// Decide puts an active user out for a while.
func (c SuspendUser) Decide(u User) ([]domain.Event, error) {
	if u.Status == IsBanned {
		return nil, ErrIsBanned
	}
	return u.change(u.Status == Active, UserSuspended{UserID: c.User})
}

// Decide puts a user out for good, who may be suspended already.
func (c BanUser) Decide(u User) ([]domain.Event, error) {
	return u.change(u.Status == Active || u.Status == IsSuspended, UserBanned{UserID: c.User, Was: u.Status})
}

// Decide lets a user in again who is out.
func (c ReactivateUser) Decide(u User) ([]domain.Event, error) {
	back := UserReactivated{UserID: c.User, Was: u.Status}
	if u.Status == Inactive {
		back.Was = ""
	}
	return u.change(u.Status != Active, back)
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
