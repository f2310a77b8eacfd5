package projections_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/feed"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
	"gesta/projections"
)

// BenchmarkCatchUp is a projector that has the whole history before it: b.N events, of which each writes
// one row. In the same run one connection writes the same rows into the same table, by statements of 500
// that are a transaction each: the ratio is what counts. Like the benchmarks of the store it says something
// about a server that keeps what it commits.
func BenchmarkCatchUp(b *testing.B) {
	for _, kind := range []string{"registered", "mixed"} {
		catchUp := func(b *testing.B, prepare func(*recording) (run func())) {
			h := record(b, kind == "mixed")
			run := prepare(h)
			plain := h.writePlainly()
			b.ResetTimer()
			run()
			b.StopTimer()
			h.compare()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/plain.Seconds(), "plain-rows/s")
			b.ReportMetric(plain.Seconds()/b.Elapsed().Seconds(), "ratio")
		}
		b.Run(kind+"/store", func(b *testing.B) {
			catchUp(b, func(h *recording) func() { return h.project(nil) })
		})
		b.Run(kind+"/stream", func(b *testing.B) {
			catchUp(b, func(h *recording) func() { return h.project(h.publish()) })
		})
		b.Run(kind+"/rebuild", func(b *testing.B) { catchUp(b, (*recording).rebuild) })
	}
}

const (
	pageOfRows = 500
	realm      = "accounts"
)

// recording is a history in a store, and the rows that its events write, page by page: no row twice in one.
type recording struct {
	b     *testing.B
	url   string
	store *postgres.Store
	pages [][]projections.User
}

// record appends b.N events. With changes, every other one is the new address or number of somebody who
// registered a page before.
func record(b *testing.B, changes bool) *recording {
	h := &recording{b: b, url: pgtest.Database(b)}
	store, err := postgres.Open(b.Context(), postgres.Options{URL: h.url})
	h.must(err)
	b.Cleanup(store.Close)
	h.store = store
	for left := b.N; left > 0; left -= pageOfRows {
		var a eventstore.Append
		var page []projections.User
		for i := range min(left, pageOfRows) {
			u, e := registered()
			if changes && i%2 == 1 && left < b.N {
				u, e = changed(h.pages[len(h.pages)-1][i-1], i%4 == 1)
			}
			a.Writes, page = append(a.Writes, writing(b, u, e)), append(page, u)
		}
		_, err := store.Append(b.Context(), a)
		h.must(err)
		h.pages = append(h.pages, page)
	}
	return h
}

func (h *recording) must(err error) {
	h.b.Helper()
	if err != nil {
		h.b.Fatal(err)
	}
}

func registered() (projections.User, domain.Event) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	key := id.New(now)
	u := projections.User{
		ID: key, Email: key.String() + "@example.com", Phone: "+5511999999999", Role: "CU", Active: true, CreatedAt: now, UpdatedAt: now,
	}
	return u, identity.UserRegistered{
		UserID: identity.UserID{ID: key}, Realm: realm, Role: identity.Role(u.Role), Email: value.Email(u.Email), Phone: value.Phone(u.Phone),
		PasswordHash: "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	}
}

func changed(u projections.User, address bool) (projections.User, domain.Event) {
	u.UpdatedAt = time.Now().UTC().Truncate(time.Microsecond)
	if address {
		u.Email = "new." + u.Email
		return u, identity.UserEmailChanged{UserID: identity.UserID{ID: u.ID}, Email: value.Email(u.Email)}
	}
	u.Phone = "+5511888888888"
	return u, identity.UserPhoneChanged{UserID: identity.UserID{ID: u.ID}, Phone: value.Phone(u.Phone)}
}

// writing appends what made a user so.
func writing(t testing.TB, u projections.User, e domain.Event) eventstore.Write {
	t.Helper()
	encoded, err := catalogue.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := json.Marshal(domain.Meta{
		Actor: "user/" + u.ID.String(), Realm: realm, Surface: realm, Request: u.ID.String(), Correlation: u.ID.String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := eventstore.Write{Stream: identity.UserStream(identity.UserID{ID: u.ID}), Events: []eventstore.NewEvent{{
		ID: id.Event{ID: id.New(u.UpdatedAt)}, Type: encoded.Type, Schema: encoded.Schema,
		Data: encoded.Data, Secret: encoded.Secret, Meta: meta, OccurredAt: u.UpdatedAt,
	}}}
	if u.UpdatedAt != u.CreatedAt {
		w.Expect = 1
	}
	return w
}

// publish has the whole history in a stream.
func (h *recording) publish() *nats.Conn {
	server := relaytest.Start(h.b)
	r := &relay.Relay{Store: h.store, NC: server.Connect(), Checkpoint: &checkpoint.Memory{}, Log: slog.New(slog.DiscardHandler)}
	stop := relaytest.Run(h.b, r.Run)
	wait.Until(h.b, "all is published", func() bool { return r.Status().Position == int64(h.b.N) })
	stop()
	return server.Connect()
}

func (h *recording) projector() *projections.Projector {
	return &projections.Projector{
		URL: h.url, Schema: "gesta", Catalogue: catalogue, Projections: projections.All, Store: h.store,
		Lead:   func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Passed: func(projections.Standing) {}, Log: slog.New(slog.DiscardHandler),
	}
}

func (h *recording) project(nc *nats.Conn) func() {
	p, done := h.projector(), make(chan struct{}, 1)
	p.Feed = &feed.Feed{Store: h.store, NC: nc, Log: p.Log}
	p.Passed = func(s projections.Standing) {
		if s.Position == int64(h.b.N) {
			select {
			case done <- struct{}{}:
			default:
			}
		}
	}
	h.must(p.Begin(h.b.Context()))
	return func() {
		relaytest.Run(h.b, p.Run)
		<-done
	}
}

// rebuild fills the read models as a rebuild does, without what it compares them with.
func (h *recording) rebuild() func() {
	p := h.projector()
	_, err := projections.Rebuilds{DB: pgtest.Connect(h.b, h.url), Schema: "gesta"}.Request(h.b.Context(), true)
	h.must(err)
	return func() { h.must(p.Fill(h.b.Context())) }
}

const plainSQL = `insert into users select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[],
		$6::boolean[], $7::timestamptz[], $8::timestamptz[])
	on conflict (id) do update set realm = excluded.realm, email = excluded.email, phone = excluded.phone,
		role = excluded.role, active = excluded.active, created_at = excluded.created_at, updated_at = excluded.updated_at`

// writePlainly writes the rows beside the read models, and answers how long that takes.
func (h *recording) writePlainly() time.Duration {
	conn := pgtest.Connect(h.b, h.url)
	_, err := conn.Exec(h.b.Context(), `create schema plain; set search_path = plain; set synchronous_commit = off;`+
		projections.UsersProjection.Tables)
	h.must(err)
	began := time.Now()
	for _, page := range h.pages {
		_, err := conn.Exec(h.b.Context(), plainSQL, columns(page)...)
		h.must(err)
	}
	return time.Since(began)
}

func columns(page []projections.User) []any {
	n := len(page)
	ids, active, created, updated := make([][16]byte, n), make([]bool, n), make([]time.Time, n), make([]time.Time, n)
	realms, emails, phones, roles := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, u := range page {
		ids[i], realms[i], emails[i], phones[i], roles[i] = u.ID, realm, u.Email, u.Phone, u.Role
		active[i], created[i], updated[i] = u.Active, u.CreatedAt, u.UpdatedAt
	}
	return []any{ids, realms, emails, phones, roles, active, created, updated}
}

// compare makes sure that both have done the same.
func (h *recording) compare() {
	var rows, same int
	schema := "gesta_read"
	sql := `select count(*), count(*) filter (where r = p) from %s.users r full join plain.users p using (id)`
	conn := pgtest.Connect(h.b, h.url)
	if err := conn.QueryRow(h.b.Context(), fmt.Sprintf(sql, schema)).Scan(&rows, &same); err != nil {
		h.must(conn.QueryRow(h.b.Context(), fmt.Sprintf(sql, schema+"_next")).Scan(&rows, &same))
	}
	if rows == 0 || rows != same {
		h.b.Fatalf("%d of %d rows are the same", same, rows)
	}
}
