package identity

import (
	"bytes"
	"slices"
	"time"
)

// What states are shown as, to those who look at what they were.
type (
	// ShownUser is a user as of some event. How the password is known is not shown.
	ShownUser struct {
		UserID UserID `json:"user_id" privacy:"public"`
		Realm  string `json:"realm" privacy:"public"`
		// The one that the user was registered with.
		Role          Role   `json:"role" privacy:"public"`
		Name          string `json:"name,omitempty" privacy:"personal"`
		Email         string `json:"email,omitempty" privacy:"personal"`
		EmailVerified bool   `json:"email_verified" privacy:"public"`
		// How far the user has come in proving that he reads what is sent to the address.
		EmailProof *ShownProof `json:"email_proof,omitempty" privacy:"public"`
		Phone      string      `json:"phone,omitempty" privacy:"personal"`
		// One of active, deactivated, suspended, banned.
		Status Status `json:"status" privacy:"public"`
		// The roles that say what the user may do, in the order of their assignment.
		RoleIDs []RoleID `json:"role_ids" privacy:"public"`
		// When the latest codes were asked for, for the address and for contacts.
		CodesRequestedAt []time.Time `json:"codes_requested_at,omitempty" privacy:"public"`
		CreatedAt        time.Time   `json:"created_at" privacy:"public"`
		UpdatedAt        time.Time   `json:"updated_at" privacy:"public"`
	}
	// ShownProof is how a proof stands that somebody reads what is sent to an address. The code is not shown.
	ShownProof struct {
		// When a code was asked for the last time.
		RequestedAt time.Time `json:"requested_at" privacy:"public"`
		// Until when a code is good; left out where none was sent to the present address, or it was proven.
		ExpiresAt time.Time `json:"expires_at,omitzero" privacy:"public"`
		// Wrong codes since then.
		WrongCodes int `json:"wrong_codes,omitempty" privacy:"public"`
	}
	// ShownSession is a session as of some event. Its tokens are not shown.
	ShownSession struct {
		SessionID SessionID `json:"session_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		Realm     string    `json:"realm" privacy:"public"`
		// Until when its newest refresh token is good.
		ExpiresAt time.Time `json:"expires_at" privacy:"public"`
		// Why it is over, as in signed_out; left out while it lives.
		Ended EndReason `json:"ended,omitempty" privacy:"public"`
	}
	// ShownRoster is who runs a realm.
	ShownRoster struct {
		// The active administrators, sorted.
		Administrators []UserID `json:"administrators" privacy:"public"`
	}
	// ShownSignIns are the recent attempts to sign in with one address that failed.
	ShownSignIns struct {
		// Those that the last failure has counted.
		FailedAt []time.Time `json:"failed_at,omitempty" privacy:"public"`
		// Wrong passwords in a row since the last right one, or since none was tried any more.
		Misses int `json:"misses" privacy:"public"`
		// Until when no password is tried; left out where nothing was locked, or it was unlocked.
		LockedUntil time.Time `json:"locked_until,omitzero" privacy:"public"`
		// Whether more have failed than the realm lets pass.
		Suspected bool `json:"suspected" privacy:"public"`
		// When the last suspicion ends or has ended.
		SuspectedUntil time.Time `json:"suspected_until,omitzero" privacy:"public"`
		// Whom the last suspicion was about; left out where nobody has the address.
		UserID UserID `json:"user_id,omitzero" privacy:"public"`
	}
	// ShownRole is a role of a realm.
	ShownRole struct {
		RoleID      RoleID `json:"role_id" privacy:"public"`
		Realm       string `json:"realm" privacy:"public"`
		Name        Role   `json:"name" privacy:"public"`
		DisplayName string `json:"display_name" privacy:"public"`
		Description string `json:"description" privacy:"public"`
		// Whether it is one of the realm's own.
		System  bool `json:"system" privacy:"public"`
		Deleted bool `json:"deleted" privacy:"public"`
		// What it allows, in the order in which it was granted.
		Permissions []ShownGrant `json:"permissions" privacy:"public"`
		CreatedAt   time.Time    `json:"created_at" privacy:"public"`
		UpdatedAt   time.Time    `json:"updated_at" privacy:"public"`
	}
	// ShownGrant is a permission that a role holds.
	ShownGrant struct {
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		Permission   Permission   `json:"permission" privacy:"public"`
	}
	// ShownPermission is a permission that roles can be granted.
	ShownPermission struct {
		PermissionID PermissionID `json:"permission_id" privacy:"public"`
		Realm        string       `json:"realm" privacy:"public"`
		// A kind of things, or *.
		Resource string `json:"resource" privacy:"public"`
		// What can be done to them, or *.
		Action      string    `json:"action" privacy:"public"`
		Description string    `json:"description" privacy:"public"`
		Deleted     bool      `json:"deleted" privacy:"public"`
		CreatedAt   time.Time `json:"created_at" privacy:"public"`
		UpdatedAt   time.Time `json:"updated_at" privacy:"public"`
	}
	// ShownProfile is what a user shows of himself.
	ShownProfile struct {
		ProfileID ProfileID `json:"profile_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		Realm     string    `json:"realm" privacy:"public"`
		// What was said; empty where it was taken back.
		Details ProfileDetails `json:"details" privacy:"public"`
		// Whether everybody may see it.
		Public    bool      `json:"public" privacy:"public"`
		CreatedAt time.Time `json:"created_at" privacy:"public"`
		UpdatedAt time.Time `json:"updated_at" privacy:"public"`
	}
	// ShownContact is one way in which a user can be reached.
	ShownContact struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		// One of email, phone, address.
		Type    ContactType    `json:"type" privacy:"public"`
		Details ContactDetails `json:"details" privacy:"public"`
		// Whether it goes before all others of its type.
		Primary  bool `json:"primary" privacy:"public"`
		Verified bool `json:"verified" privacy:"public"`
		// Whether the user lets others know it.
		Public bool `json:"public" privacy:"public"`
		// How far the user has come in proving that he can be reached so.
		Proof     *ShownProof `json:"proof,omitempty" privacy:"public"`
		CreatedAt time.Time   `json:"created_at" privacy:"public"`
		UpdatedAt time.Time   `json:"updated_at" privacy:"public"`
	}
)

// Show is the user without the password.
func (u User) Show() any {
	if u.ID.IsZero() {
		return nil
	}
	return ShownUser{
		UserID: u.ID, Realm: u.Realm, Role: u.Role, Name: u.Name, Email: string(u.Email), EmailVerified: u.EmailVerified,
		EmailProof: u.EmailProof.show(), Phone: string(u.Phone), Status: u.Status, RoleIDs: orEmpty(u.Roles),
		CodesRequestedAt: u.Codes, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

// show is nil where nothing was ever asked for.
func (p Proof) show() *ShownProof {
	if p.Asked.IsZero() {
		return nil
	}
	return &ShownProof{RequestedAt: p.Asked, ExpiresAt: p.Expires.UTC(), WrongCodes: p.Wrong}
}

// Show is the session without its tokens.
func (s Session) Show() any {
	if s.ID.IsZero() {
		return nil
	}
	return ShownSession{SessionID: s.ID, UserID: s.User, Realm: s.Realm, ExpiresAt: s.ExpiresAt.UTC(), Ended: s.Ended}
}

// Show is the roster, also where nobody is on it.
func (r Roster) Show() any {
	all := []UserID{}
	for u := range r.active {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b UserID) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return ShownRoster{all}
}

// Show is the attempts.
func (s SignIns) Show() any {
	return ShownSignIns{
		FailedAt: s.failures, Misses: s.misses, LockedUntil: s.locked.UTC(),
		Suspected: s.suspected, SuspectedUntil: s.until.UTC(), UserID: s.user,
	}
}

// Show is the role, also when it is deleted.
func (d RoleDefinition) Show() any {
	if d.ID.IsZero() {
		return nil
	}
	grants := make([]ShownGrant, len(d.Grants))
	for i, g := range d.Grants {
		grants[i] = ShownGrant{PermissionID: g.ID, Permission: g.Permission}
	}
	return ShownRole{
		RoleID: d.ID, Realm: d.Realm, Name: d.Name, DisplayName: d.DisplayName, Description: d.Description,
		System: d.System, Deleted: d.Deleted, Permissions: grants, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

// Show is the permission, also when it is deleted.
func (d PermissionDefinition) Show() any {
	if d.ID.IsZero() {
		return nil
	}
	return ShownPermission{
		PermissionID: d.ID, Realm: d.Realm, Resource: d.Resource, Action: d.Action, Description: d.Description,
		Deleted: d.Deleted, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

// Show is the profile; nothing where it was deleted.
func (p Profile) Show() any {
	if p.ID.IsZero() {
		return nil
	}
	return ShownProfile{
		ProfileID: p.ID, UserID: p.User, Realm: p.Realm, Details: p.Details, Public: p.Public,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

// Show is the contact without its code; nothing where it was deleted.
func (c Contact) Show() any {
	if c.ID.IsZero() {
		return nil
	}
	return ShownContact{
		ContactID: c.ID, UserID: c.User, Type: c.Type, Details: c.Details, Primary: c.Primary, Verified: c.Verified,
		Public: c.Public, Proof: c.Proof.show(), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
