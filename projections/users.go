package projections

import (
	"cmp"
	"context"
	"time"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore/postgres"
)

// User is a user as readers see one.
type User struct {
	ID            id.ID
	Name          string // "" where the realm asks for none
	Email         string
	EmailVerified bool
	Phone         string
	Role          string // at registration
	Status        string
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Version       int64 // of its stream, at the last event that changed any of this
}

// IsActive tells whether the user may sign in.
func (u User) IsActive() bool { return u.Status == string(identity.Active) }

// Revision is the user as a thing that can be asked for again.
func (u User) Revision() (id.ID, int64) { return u.ID, u.Version }

const (
	userColumns  = `id, name, email, phone, role, status, email_verified, created_at, updated_at, version`
	shownColumns = `id, coalesce(name, '` + Forgotten + `'), coalesce(email, '` + Forgotten + `'), email_verified,
		coalesce(phone, '` + Forgotten + `'), role, status, created_at, updated_at, version`
)

// userList is how users are shown page by page.
var userList = &List{
	Table: "users", Scope: "realm", Key: "id", Shown: shownColumns,
	Filters: []Column{{Name: "role", Counted: true}, {Name: "active", Counted: true}, {Name: "status", Counted: true}, {Name: "email_verified"}},
}

// UsersProjection keeps the users of all realms.
var UsersProjection = Projection{
	Name: "users",
	Tables: `
		create table users (
			id             uuid        not null primary key,
			realm          text        not null,
			name           text,
			email          text,
			email_verified boolean     not null,
			phone          text,
			role           text        not null,
			status         text        not null,
			active         boolean     not null generated always as (status = 'active') stored,
			created_at     timestamptz not null,
			updated_at     timestamptz not null,
			version        bigint      not null
		);
		create index on users (realm, email);
		create index on users (realm, id);
		create index on users (realm, role, id);
		create index on users (realm, active, id);
		create index on users (realm, status, id);
		create index on users (realm, email_verified, id);
		` + userList.CountsTable(),
	Personal: []Personal{{Table: "users", Key: "id", Subject: "id", Columns: []string{"name", "email", "phone"}, Version: "version"}},
	Rules: []Rule{
		On(func(w Write, e identity.UserRegistered) {
			w.Exec(`insert into users (realm, `+userColumns+`) values ($1, $2, $3, $4, $5, $6, $7, false, $8, $8, $9)`,
				e.Realm, w.key(), e.Name, e.Email, e.Phone, e.Role, string(identity.Active), w.Event.OccurredAt, w.Event.Version)
			w.Counts(userList, e.Realm).Add(1, Filter{"role", string(e.Role)}, Filter{"active", true}, Filter{"status", string(identity.Active)})
		}),
		On(func(w Write, e identity.UserNameChanged) { w.setUser("name", e.Name) }),
		On(func(w Write, e identity.UserEmailChanged) {
			w.Exec(`update users set email = $2, email_verified = false, updated_at = $3, version = $4 where id = $1`,
				w.key(), e.Email, w.Event.OccurredAt, w.Event.Version)
		}),
		On(func(w Write, _ identity.UserEmailVerified) { w.setUser("email_verified", true) }),
		On(func(w Write, e identity.UserPhoneChanged) { w.setUser("phone", e.Phone) }),
		On(func(w Write, _ identity.UserDeactivated) { w.turnUser(identity.Active, identity.Inactive) }),
		On(func(w Write, _ identity.UserSuspended) { w.turnUser(identity.Active, identity.IsSuspended) }),
		On(func(w Write, e identity.UserBanned) { w.turnUser(e.Was, identity.IsBanned) }),
		On(func(w Write, e identity.UserReactivated) {
			w.turnUser(cmp.Or(e.Was, identity.Inactive), identity.Active)
		}),
		On(func(w Write, _ identity.UserPasswordChanged) {
			w.Exec(`update users set updated_at = $2, version = $3 where id = $1`, w.key(), w.Event.OccurredAt, w.Event.Version)
		}),
	},
}

// key is the row of the event's own stream.
func (w Write) key() [16]byte { return w.Event.Stream.ID }

func (w Write) setUser(column string, value any) {
	w.Exec(`update users set `+column+` = $2, updated_at = $3, version = $4 where id = $1`, w.key(), value, w.Event.OccurredAt, w.Event.Version)
}

// turnUser is about a user who was something else before.
func (w Write) turnUser(from, to identity.Status) {
	w.setUser("status", string(to))
	counts := w.OwnCounts(userList)
	counts.Move("status", string(from), string(to))
	if from == identity.Active || to == identity.Active {
		counts.Move("active", from == identity.Active, to == identity.Active)
	}
}

// UserOf shows a user's folded state as the read model would. Who has no address any more was forgotten.
func UserOf(u identity.User) User {
	if u.Email == "" {
		u.Name, u.Email, u.Phone = Forgotten, Forgotten, Forgotten
	}
	return User{
		ID: u.ID.ID, Name: u.Name, Email: string(u.Email), EmailVerified: u.EmailVerified, Phone: string(u.Phone),
		Role: string(u.Role), Status: string(u.Status), CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

// Users answers questions about the users of one realm.
type Users struct {
	DB    *postgres.Lookups
	Realm string
}

// Find answers one user, or identity.ErrUserNotFound.
func (u Users) Find(ctx context.Context, user identity.UserID) (User, error) {
	return one[User](ctx, u.DB, identity.ErrUserNotFound,
		`select `+shownColumns+` from users where realm = $1 and id = $2`, u.Realm, [16]byte(user.ID))
}

// ByEmail answers the user registered with an address, or identity.ErrUserNotFound. While one user's
// change lags behind another's, two may show the same address: the later one has it.
func (u Users) ByEmail(ctx context.Context, e value.Email) (User, error) {
	return one[User](ctx, u.DB, identity.ErrUserNotFound,
		`select `+shownColumns+` from users where realm = $1 and email = $2 order by updated_at desc limit 1`,
		u.Realm, e)
}

// List answers a page of the users, the oldest first, that may be filtered by role, active, status and email_verified.
func (u Users) List(ctx context.Context, q Query) (Paged[User], error) {
	q.Scope = u.Realm
	return pageOf[User](ctx, u.DB, userList, q)
}
