package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// behind is a store behind a proxy, and another that reads the same database directly.
func behind(t *testing.T, timeout time.Duration) (s, direct *Store, p *pgtest.Proxy) {
	t.Helper()
	url := pgtest.AppLogin(t, pgtest.Database(t))
	p, through := pgtest.NewProxy(t, url)
	s, err := Open(t.Context(), Options{URL: through, Timeout: timeout, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, opened(t, url), p
}

// answer is what an append came to.
type answer struct {
	eventstore.Receipt
	err error
}

// begin appends without waiting for the answer.
func begin(ctx context.Context, s *Store, a eventstore.Append) <-chan answer {
	told := make(chan answer, 1)
	go func() {
		r, err := s.Append(ctx, a)
		told <- answer{r, err}
	}()
	return told
}

func position(t *testing.T, s *Store) int64 {
	t.Helper()
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Position
}

// wantAppend appends one event and wants it at a position.
func wantAppend(t *testing.T, s *Store, at int64) {
	t.Helper()
	r, err := s.Append(t.Context(), someAppend(someStream(), 0))
	if err != nil || r.First != at {
		t.Fatalf("the next append: %+v, %v, not at %d", r, err, at)
	}
}

func wantUnavailable(t *testing.T, got answer) {
	t.Helper()
	if !errors.Is(got.err, eventstore.ErrUnavailable) {
		t.Fatalf("%+v, not unavailable", got)
	}
}

// TestNobodyWaitsBeyondHisDeadline holds one append in flight and one in the queue.
func TestNobodyWaitsBeyondHisDeadline(t *testing.T) {
	t.Parallel()
	s, direct, p := behind(t, time.Minute)
	p.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // Until then both must be on their way.
	defer cancel()
	inFlight := someAppend(someStream(), 0)
	first := begin(ctx, s, inFlight)
	wait.Until(t, "the first is in flight", func() bool { return p.Holds() > 0 })
	second := begin(ctx, s, someAppend(someStream(), 0))
	for _, told := range []<-chan answer{first, second} {
		got := <-told
		wantUnavailable(t, got)
		if !errors.Is(got.err, context.DeadlineExceeded) || time.Now().After(deadline(ctx).Add(5*time.Second)) {
			t.Errorf("%v, late", got.err)
		}
	}
	p.Flow()
	wantAppend(t, s, 2)
	events, err := direct.Read(t.Context(), 0, 10)
	if err != nil || len(events) != 2 || events[0].ID != inFlight.Writes[0].Events[0].ID {
		t.Errorf("what was in flight commits, what was queued does not: %v, %v", events, err)
	}
}

func deadline(ctx context.Context) time.Time {
	at, _ := ctx.Deadline()
	return at
}

// lostAnswers are appends that must be found again by what they leave behind.
func lostAnswers() map[string]eventstore.Append {
	bare := eventstore.Write{Stream: someStream(), Take: []eventstore.Claim{{Name: eventstore.Hash{1}}}}
	everything := someAppend(someStream(), 0)
	everything.Writes[0].Take = []eventstore.Claim{{Name: eventstore.Hash{2}}}
	everything.Keys = []eventstore.SubjectKey{{Subject: id.New(time.Now()), Wrapped: []byte("k")}}
	everything.Idempotency = &eventstore.Idempotency{Scope: "s", Key: "1", Result: json.RawMessage(`1`)}
	return map[string]eventstore.Append{
		"an event":   someAppend(someStream(), 0),
		"everything": everything,
		"an answer": {Idempotency: &eventstore.Idempotency{
			Scope: "s", Key: "2", Fingerprint: []byte("f"), Result: json.RawMessage(`2`),
		}},
		"a key":   {Keys: []eventstore.SubjectKey{{Subject: id.New(time.Now()), Wrapped: []byte("k")}}},
		"a claim": {Writes: []eventstore.Write{bare}},
	}
}

// TestALostAnswerIsFound swallows the answer to a commit and then cuts the connection.
func TestALostAnswerIsFound(t *testing.T) {
	t.Parallel()
	for name, a := range lostAnswers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, direct, p := behind(t, time.Minute)
			p.LoseAnswers()
			told := begin(t.Context(), s, a)
			wait.Until(t, "it is committed", func() bool { return committed(t, direct, a) })
			p.Cut()
			got := <-told
			if got.err != nil {
				t.Fatalf("its answer is %v", got.err)
			}
			events := position(t, direct)
			if got.First != events || got.Last != events || events > 0 && got.RecordedAt.IsZero() {
				t.Errorf("it stands at %+v, and there are %d events", got.Receipt, events)
			}
			if !committed(t, direct, a) {
				t.Error("it has gone")
			}
			wantAppend(t, s, events+1)
		})
	}
}

// committed reports whether some part of an append is there.
func committed(t *testing.T, s *Store, a eventstore.Append) bool {
	t.Helper()
	var there bool
	err := s.Pool().QueryRow(t.Context(), `select exists (select from events)
		or exists (select from idempotency) or exists (select from claims)
		or exists (select from gesta_keys.subject_keys)`).Scan(&there)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// TestALostRequestIsAppliedOnce cuts the connection while the request is on its way, and lets it
// arrive when it has been made again.
func TestALostRequestIsAppliedOnce(t *testing.T) {
	t.Parallel()
	for name, a := range lostAnswers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, direct, p := behind(t, time.Minute)
			p.HoldAfter(0)
			before := s.appender.link.self
			told := begin(t.Context(), s, a)
			wait.Until(t, "the request is on its way", func() bool { return p.Holds() > 0 })
			p.Desert()
			if got := <-told; got.err != nil {
				t.Fatalf("its answer is %v", got.err)
			}
			events := position(t, direct)
			p.Flow()
			wait.Until(t, "the late request has arrived", func() bool { return p.Holds() == 0 })
			wait.Until(t, "its connection has ended", func() bool { return !alive(t, direct, before) })
			if now := position(t, direct); now != events || !committed(t, direct, a) {
				t.Errorf("%d events became %d", events, now)
			}
			wantAppend(t, s, events+1)
		})
	}
}

func alive(t *testing.T, s *Store, b backend) (alive bool) {
	t.Helper()
	err := s.Pool().QueryRow(t.Context(), `select exists (select from pg_stat_activity
		where pid = $1 and backend_start = $2)`, b.pid, b.start).Scan(&alive)
	if err != nil {
		t.Fatal(err)
	}
	return alive
}

// TestHalfARequestHoldsNobodyUp leaves a server alone with the lock and a request that never ends.
func TestHalfARequestHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, direct, p := behind(t, time.Minute)
	a := someAppend(someStream(), 0)
	for range 12 {
		e := someEvent()
		e.Data = json.RawMessage(`"` + strings.Repeat("x", 200<<10) + `"`)
		a.Writes[0].Events = append(a.Writes[0].Events, e)
	}
	p.HoldAfter(100 << 10)
	told := begin(t.Context(), s, a)
	wait.Until(t, "the head is locked", func() bool {
		_, err := direct.Pool().Exec(t.Context(), "select from head for update nowait")
		return sqlState(err) == "55P03"
	})
	p.Desert()
	if got := <-told; got.err != nil || got.Last != 13 {
		t.Errorf("it came to %+v", got)
	}
	wantAppend(t, direct, 14)
}
