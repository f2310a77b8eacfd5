package projections

import (
	"context"
	"time"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore/postgres"
)

// User is a user as readers see one.
type User struct {
	ID        id.ID
	Email     string
	Phone     string
	Role      string
	Active    bool
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // of its stream, at the last event that changed any of this
}

// Revision is the user as a thing that can be asked for again.
func (u User) Revision() (id.ID, int64) { return u.ID, u.Version }

const (
	userColumns  = `id, email, phone, role, active, created_at, updated_at, version`
	shownColumns = `id, coalesce(email, '` + Forgotten + `'), coalesce(phone, '` + Forgotten + `'), role, active, created_at, updated_at, version`
)

// userList is how users are shown page by page.
var userList = &List{
	Table: "users", Scope: "realm", Key: "id", Shown: shownColumns,
	Filters: []Column{{Name: "role", Counted: true}, {Name: "active", Counted: true}},
}

// UsersProjection keeps the users of all realms.
var UsersProjection = Projection{
	Name: "users",
	Tables: `
		create table users (
			id         uuid        not null primary key,
			realm      text        not null,
			email      text,
			phone      text,
			role       text        not null,
			active     boolean     not null,
			created_at timestamptz not null,
			updated_at timestamptz not null,
			version    bigint      not null
		);
		create index on users (realm, email);
		create index on users (realm, id);
		create index on users (realm, role, id);
		create index on users (realm, active, id);
		` + userList.CountsTable(),
	Personal: []Personal{{Table: "users", Key: "id", Subject: "id", Columns: []string{"email", "phone"}, Version: "version"}},
	Rules: []Rule{
		On(func(w Write, e identity.UserRegistered) {
			w.Exec(`insert into users (realm, `+userColumns+`) values ($1, $2, $3, $4, $5, true, $6, $6, $7)`,
				e.Realm, w.key(), e.Email, e.Phone, e.Role, w.Event.OccurredAt, w.Event.Version)
			w.Counts(userList, e.Realm).Add(1, Filter{"role", string(e.Role)}, Filter{"active", true})
		}),
		On(func(w Write, e identity.UserEmailChanged) { w.setUser("email", e.Email) }),
		On(func(w Write, e identity.UserPhoneChanged) { w.setUser("phone", e.Phone) }),
		On(func(w Write, _ identity.UserDeactivated) { w.turnUser(false) }),
		On(func(w Write, _ identity.UserReactivated) { w.turnUser(true) }),
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

// turnUser is about a user who was not so before.
func (w Write) turnUser(active bool) {
	w.setUser("active", active)
	w.OwnCounts(userList).Move("active", !active, active)
}

// UserOf shows a user's folded state as the read model would. Who has no address any more was forgotten.
func UserOf(u identity.User) User {
	if u.Email == "" {
		u.Email, u.Phone = Forgotten, Forgotten
	}
	return User{
		ID: u.ID.ID, Email: string(u.Email), Phone: string(u.Phone), Role: string(u.Role),
		Active: u.Active, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
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

// List answers a page of the users, the oldest first, that may be filtered by role and active.
func (u Users) List(ctx context.Context, q Query) (Paged[User], error) {
	q.Scope = u.Realm
	return pageOf[User](ctx, u.DB, userList, q)
}
