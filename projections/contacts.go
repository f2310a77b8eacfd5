package projections

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore/postgres"
)

// Contact is a way to reach a user as readers see one.
type Contact struct {
	ID        id.ID
	User      id.ID
	Type      string
	Details   identity.ContactDetails // nothing of who was forgotten
	Primary   bool
	Verified  bool
	Public    bool
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // of its stream, at the last event that changed any of this
}

// Revision is the contact as a thing that can be asked for again.
func (c Contact) Revision() (id.ID, int64) { return c.ID, c.Version }

const shownContact = `id, user_id, type, coalesce(details, '{}'), is_primary, verified, public, created_at, updated_at, version`

// ContactsProjection keeps the contacts of all users.
var ContactsProjection = Projection{
	Name: "contacts",
	Tables: `
		create table contacts (
			id         uuid        not null primary key,
			user_id    uuid        not null,
			type       text        not null,
			details    jsonb,
			is_primary boolean     not null,
			verified   boolean     not null,
			public     boolean     not null,
			created_at timestamptz not null,
			updated_at timestamptz not null,
			version    bigint      not null
		);
		create index on contacts (user_id, id)`,
	Personal: []Personal{{Table: "contacts", Key: "id", Subject: "user_id", Columns: []string{"details"}, Version: "version"}},
	Rules: []Rule{
		On(func(w Write, e identity.ContactCreated) {
			w.Exec(`insert into contacts (id, user_id, type, details, is_primary, verified, public, created_at, updated_at, version)
				values ($1, $2, $3, $4, false, false, false, $5, $5, $6)`,
				w.key(), [16]byte(e.UserID.ID), string(e.Type), e.Details, w.Event.OccurredAt, w.Event.Version)
		}),
		On(func(w Write, e identity.ContactChanged) {
			w.Exec(`update contacts set details = details || $2, updated_at = $3, version = $4 where id = $1`,
				w.key(), e.Details, w.Event.OccurredAt, w.Event.Version)
		}),
		On(func(w Write, _ identity.ContactVerified) { w.setContact("verified", true) }),
		On(func(w Write, _ identity.ContactVerificationLapsed) { w.setContact("verified", false) }),
		On(func(w Write, _ identity.ContactMadePrimary) { w.setContact("is_primary", true) }),
		On(func(w Write, _ identity.ContactPrimaryWithdrawn) { w.setContact("is_primary", false) }),
		On(func(w Write, _ identity.ContactMadePublic) { w.setContact("public", true) }),
		On(func(w Write, _ identity.ContactMadePrivate) { w.setContact("public", false) }),
		On(func(w Write, _ identity.ContactDeleted) { w.Exec(`delete from contacts where id = $1`, w.key()) }),
	},
}

func (w Write) setContact(column string, value bool) {
	w.Exec(`update contacts set `+column+` = $2, updated_at = $3, version = $4 where id = $1`, w.key(), value, w.Event.OccurredAt, w.Event.Version)
}

// ContactOf shows a contact's folded state as the read model would.
func ContactOf(c identity.Contact) Contact {
	return Contact{
		ID: c.ID.ID, User: c.User.ID, Type: string(c.Type), Details: c.Details, Primary: c.Primary, Verified: c.Verified,
		Public: c.Public, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

// Contacts answers questions about users' contacts.
type Contacts struct{ DB *postgres.Lookups }

// Find answers one of a user's contacts, or identity.ErrContactNotFound.
func (c Contacts) Find(ctx context.Context, user identity.UserID, contact identity.ContactID) (Contact, error) {
	return one[Contact](ctx, c.DB, identity.ErrContactNotFound,
		`select `+shownContact+` from contacts where user_id = $1 and id = $2`, [16]byte(user.ID), [16]byte(contact.ID))
}

// Of answers all contacts of a user, or those of a type, the oldest first. There are identity.MaxContacts at the most,
// or little more.
func (c Contacts) Of(ctx context.Context, user identity.UserID, t identity.ContactType) (all []Contact, err error) {
	questions := &pgx.Batch{}
	questions.Queue(`select `+shownContact+` from contacts where user_id = $1 and $2 in (type, '') order by id`, [16]byte(user.ID), string(t)).
		Query(func(rows pgx.Rows) (err error) {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Contact])
			return err
		})
	return all, understood(c.DB.Ask(ctx, questions))
}
