package projections

import (
	"context"
	"time"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore/postgres"
)

// Profile is a user's profile as readers see one.
type Profile struct {
	ID        id.ID
	User      id.ID
	Details   identity.ProfileDetails // nothing of who was forgotten
	Public    bool
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // of its stream, at the last event that changed any of this
}

// Revision is the profile as a thing that can be asked for again.
func (p Profile) Revision() (id.ID, int64) { return p.ID, p.Version }

const shownProfile = `id, user_id, coalesce(details, '{}'), public, created_at, updated_at, version`

// profileList is how profiles are shown page by page.
var profileList = &List{
	Table: "profiles", Scope: "realm", Key: "id", Shown: shownProfile, Filters: []Column{{Name: "public", Counted: true}},
}

// ProfilesProjection keeps the profiles of all realms.
var ProfilesProjection = Projection{
	Name: "profiles",
	Tables: `
		create table profiles (
			id         uuid        not null primary key,
			realm      text        not null,
			user_id    uuid        not null,
			details    jsonb,
			public     boolean     not null,
			created_at timestamptz not null,
			updated_at timestamptz not null,
			version    bigint      not null
		);
		create index on profiles (realm, user_id);
		create index on profiles (realm, public, id);
		` + profileList.CountsTable(),
	Personal: []Personal{{Table: "profiles", Key: "id", Subject: "user_id", Columns: []string{"details"}, Version: "version"}},
	Rules: []Rule{
		On(func(w Write, e identity.ProfileCreated) {
			w.Exec(`insert into profiles (id, realm, user_id, details, public, created_at, updated_at, version) values ($1, $2, $3, $4, false, $5, $5, $6)`,
				w.key(), e.Realm, [16]byte(e.UserID.ID), e.Details, w.Event.OccurredAt, w.Event.Version)
			w.Counts(profileList, e.Realm).Add(1, Filter{"public", false})
		}),
		On(func(w Write, e identity.ProfileChanged) {
			w.Exec(`update profiles set details = details || $2, updated_at = $3, version = $4 where id = $1`,
				w.key(), e.Details, w.Event.OccurredAt, w.Event.Version)
		}),
		On(func(w Write, e identity.ProfileMadePublic) { w.showProfile(e.Realm, true) }),
		On(func(w Write, e identity.ProfileMadePrivate) { w.showProfile(e.Realm, false) }),
		On(func(w Write, e identity.ProfileDeleted) {
			w.Exec(`delete from profiles where id = $1`, w.key())
			w.Counts(profileList, e.Realm).Add(-1, Filter{"public", e.WasPublic})
		}),
	},
}

// showProfile is about a profile that was not so before.
func (w Write) showProfile(realm string, public bool) {
	w.Exec(`update profiles set public = $2, updated_at = $3, version = $4 where id = $1`, w.key(), public, w.Event.OccurredAt, w.Event.Version)
	w.Counts(profileList, realm).Move("public", !public, public)
}

// ProfileOf shows a profile's folded state as the read model would.
func ProfileOf(p identity.Profile) Profile {
	return Profile{
		ID: p.ID.ID, User: p.User.ID, Details: p.Details, Public: p.Public, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

// Profiles answers questions about the profiles of one realm, whoever asks.
type Profiles struct {
	DB    *postgres.Lookups
	Realm string
}

// Find answers one profile, or identity.ErrProfileNotFound.
func (p Profiles) Find(ctx context.Context, profile identity.ProfileID) (Profile, error) {
	return one[Profile](ctx, p.DB, identity.ErrProfileNotFound,
		`select `+shownProfile+` from profiles where realm = $1 and id = $2`, p.Realm, [16]byte(profile.ID))
}

// Of answers the profile of a user, or identity.ErrProfileNotFound. While the deletion of one lags behind the next one,
// that is the later one.
func (p Profiles) Of(ctx context.Context, user identity.UserID) (Profile, error) {
	return one[Profile](ctx, p.DB, identity.ErrProfileNotFound,
		`select `+shownProfile+` from profiles where realm = $1 and user_id = $2 order by id desc limit 1`, p.Realm, [16]byte(user.ID))
}

// Public answers a page of the public profiles, the oldest first.
func (p Profiles) Public(ctx context.Context, q Query) (Paged[Profile], error) {
	q.Scope, q.Filters = p.Realm, []Filter{{"public", true}}
	return pageOf[Profile](ctx, p.DB, profileList, q)
}
