package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
)

// TestFactsStay wants neither the app nor the owner of the tables able to change or remove an event.
func TestFactsStay(t *testing.T) {
	t.Parallel()
	owner := pgtest.Database(t)
	wantAppend(t, opened(t, owner), 1)
	for who, url := range map[string]string{"owner": owner, "app": pgtest.AppLogin(t, owner)} {
		conn := connected(t, url)
		for _, statement := range []string{
			"update events set type = 'another'", "update events set type = type where false",
			"delete from events", "delete from events where false", "truncate events",
			"insert into events select * from events on conflict (position) do update set type = 'another'",
		} {
			if _, err := conn.Exec(t.Context(), statement); sqlState(err) != "42501" {
				t.Errorf("%s: %s: %v", who, statement, err)
			}
		}
	}
	wantAppend(t, opened(t, owner), 2)
}

// TestTheAppKeepsToItsGrants wants the app unable to go around the rules of the tables.
func TestTheAppKeepsToItsGrants(t *testing.T) {
	t.Parallel()
	conn := connected(t, pgtest.AppLogin(t, pgtest.Database(t)))
	for _, statement := range []string{
		"alter table events disable trigger events_are_facts", "set session_replication_role = replica",
		"drop table events", "create index on events (type)", "update claims set stream_kind = 'another'",
	} {
		if _, err := conn.Exec(t.Context(), statement); sqlState(err) != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func connected(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["search_path"] = DefaultSchema
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// TestTheClockNeverGoesBack has an event that was recorded by a clock an hour ahead.
func TestTheClockNeverGoesBack(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	_, err := connected(t, url).Exec(t.Context(), `insert into events values (1, 'test.thing', gen_random_uuid(), 1,
		gen_random_uuid(), 'test.thing.happened', 1, '{}', null, '{}', now(), $1)`, ahead)
	if err != nil {
		t.Fatal(err)
	}
	s := opened(t, url)
	for n := range 3 {
		var a eventstore.Append
		for range n + 1 {
			a.Writes = append(a.Writes, someAppend(someStream(), 0).Writes...)
		}
		if r, err := s.Append(t.Context(), a); err != nil || !r.RecordedAt.Equal(ahead) {
			t.Errorf("%+v (%v), not recorded at %v", r, err, ahead)
		}
	}
}
