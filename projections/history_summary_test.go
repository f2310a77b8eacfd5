package projections_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/projections"
)

// counted is how many events there are by something, read off the events themselves.
func (a *archive) counted(q projections.SummaryQuery) (all []projections.HistoryCount) {
	counts := map[string]int64{}
	for _, e := range a.all() {
		var m domain.Meta
		_ = json.Unmarshal(e.Meta, &m)
		m.Realm = strings.TrimSuffix(m.Realm, "\x00")
		if q.Realm != nil && *q.Realm != m.Realm {
			continue
		}
		switch q.By {
		case "type":
			counts[e.Type]++
		case "realm":
			counts[m.Realm]++
		case "hour":
			counts[e.RecordedAt.Format("2006-01-02T15:00:00Z")]++
		case "actor":
			if kind, ulid, is := strings.Cut(m.Actor, "/"); is && len(ulid) == 26 {
				m.Actor = kind + "/" + strings.ToUpper(ulid)
			}
			if m.Actor != "" {
				counts[m.Actor]++
			}
		}
	}
	for key, n := range counts {
		if q.After == nil || key > *q.After {
			all = append(all, projections.HistoryCount{Key: key, Events: n})
		}
	}
	slices.SortFunc(all, func(a, b projections.HistoryCount) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

func TestCountersAreWhatACountIs(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(400)...)
	for range 30 {
		a.record(told{stream: stream("hourly"), typ: "hourly", meta: map[string]string{"realm": "promenade"}, after: 40 * time.Minute})
	}
	a.record(random(400)...)
	a.run()
	a.level()
	realm, nowhere := "accounts", "nowhere"
	for _, by := range []string{"type", "realm", "hour", "actor"} {
		for _, of := range []*string{nil, &realm, &nowhere, new(string)} {
			q := projections.SummaryQuery{By: by, Realm: of}
			want := a.counted(q)
			for _, q.Limit = range []int{0, 3} {
				var got []projections.HistoryCount
				q.After = nil
				for more := true; more; {
					s, err := a.history.Summary(t.Context(), q)
					if err != nil || s.Indexed != 830 || q.Limit > 0 && len(s.Counts) > q.Limit {
						t.Fatal(by, s, err)
					}
					if got = append(got, s.Counts...); s.More {
						q.After = &got[len(got)-1].Key
					}
					more = s.More
				}
				if !slices.Equal(got, want) {
					t.Errorf("by %s in %v:\n got %v\nwant %v", by, of, got, want)
				}
			}
		}
	}
	_, err := a.history.Summary(t.Context(), projections.SummaryQuery{By: "moon"})
	if fault := (*domain.Fault)(nil); !errors.As(err, &fault) || fault.Kind != domain.Invalid {
		t.Error(err)
	}
}

func positionsOf(events []eventstore.Recorded) (all []int64) {
	for _, e := range events {
		all = append(all, e.Position)
	}
	return all
}

func TestWhatAnActorDid(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(900)...)
	a.run()
	a.level()
	for _, actor := range []string{"system", "policy/renew", "user/" + ulids[0].String(), "admin/" + ulids[0].String(), ulids[0].String(), "user/" + strings.ToLower(ulids[2].String()), "nobody", ulids[5].String()} {
		q := projections.HistoryQuery{Realm: "accounts", Actor: actor, Descending: true}
		want, types := naive(a.all(), q), map[string]int64{}
		for _, e := range a.all() {
			if holds(q, e) {
				types[e.Type]++
			}
		}
		var got []int64
		for before, more := int64(0), true; more; {
			p, err := a.history.Actor(t.Context(), "accounts", actor, before, 10)
			if err != nil || p.Total != int64(len(want)) || len(p.Types) != len(types) || (p.First == nil) != (len(want) == 0) || p.Indexed != 900 {
				t.Fatalf("%s: %d of %d events, %v: %v", actor, p.Total, len(want), p.Types, err)
			}
			for _, n := range p.Types {
				if types[n.Key] != n.Events {
					t.Errorf("%s: %s, not %d", actor, n.Key, types[n.Key])
				}
			}
			if len(want) > 0 && (p.Last.Position != want[0] || p.First.Position != want[len(want)-1]) {
				t.Errorf("%s: from %d to %d", actor, p.First.Position, p.Last.Position)
			}
			if got = append(got, positionsOf(p.Events)...); p.More {
				before = got[len(got)-1]
			}
			more = p.More
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", actor, got, want)
		}
	}
}

// An actor with very many events has no head by type: it would take longer than the page.
func TestAnActorOfVeryManyEvents(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	many(a, 50_000)
	a.run()
	a.level()
	p, err := a.history.Actor(t.Context(), "accounts", "user/"+ulids[0].String(), 0, 10)
	if err != nil || p.Total != 25_000 || p.Types != nil || len(p.Events) != 10 || p.First.Position != 2 {
		t.Error(p.Total, p.Types, len(p.Events), err)
	}
}

// many fills a history by one statement: of every other event one user is the actor, of each other one another.
func many(a *archive, n int) {
	a.Helper()
	a.exec(`insert into events select n, 'identity.user', md5((n % 1000)::text)::uuid, 1 + n / 1000, gen_random_uuid(), 'identity.user.happened' || n % 7, 1, '{}', null,
		json_build_object('actor', case when n % 2 = 0 then $2::text else 'user/01J8Z3K5T9V7W2X4Y6Z' || lpad((n % 5000)::text, 7, '0') end, 'realm', 'accounts', 'surface', 'accounts',
			'request', '01J8Z3K5T9V7W2X4Y6' || lpad((n / 3)::text, 8, '0'), 'correlation', '01J8Z3K5T9V7W2X4Y6' || lpad((n / 3)::text, 8, '0')),
		now(), '2026-01-01'::timestamptz + n * interval '1 second' from generate_series(1, $1::int) n`, n, "user/"+ulids[0].String())
}
