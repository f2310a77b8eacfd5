package checkpoint_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/relay/relaytest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var truth = checkpoint.Table{Name: pgx.Identifier{"gesta", "checkpoints"}}

func mark(position int64) eventstore.Mark {
	return eventstore.Mark{Position: position, Event: id.Event{ID: id.New(time.Now())}}
}

func connect(t *testing.T) *pgx.Conn { return pgtest.Connect(t, pgtest.Database(t)) }

// place is what both kinds of checkpoint can do.
type place interface {
	Get(ctx context.Context) (eventstore.Mark, error)
	Move(ctx context.Context, from, to eventstore.Mark) error
}

func TestMovesOnlyFromWhereItWasLeft(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) place{
		"row":    func(t *testing.T) place { return checkpoint.Row{DB: connect(t), Table: truth, Follower: "relay"} },
		"memory": func(*testing.T) place { return &checkpoint.Memory{} },
	} {
		t.Run(name, func(t *testing.T) {
			p, first, second, rival := open(t), mark(3), mark(8), mark(3)
			is(t, p, eventstore.Mark{})
			moves(t, p, eventstore.Mark{}, first)
			refuses(t, p, eventstore.Mark{}, second)
			refuses(t, p, rival, second)
			is(t, p, first)
			moves(t, p, first, second)
			refuses(t, p, first, second)
			is(t, p, second)
			moves(t, p, second, first)
			is(t, p, first)
			moves(t, p, first, eventstore.Mark{})
			refuses(t, p, first, second)
			moves(t, p, eventstore.Mark{}, second)
			is(t, p, second)
		})
	}
}

func is(t *testing.T, p place, want eventstore.Mark) {
	t.Helper()
	if got, err := p.Get(context.Background()); err != nil || got != want {
		t.Fatalf("at %v (%v), want %v", got, err, want)
	}
}

func moves(t *testing.T, p place, from, to eventstore.Mark) {
	t.Helper()
	if err := p.Move(context.Background(), from, to); err != nil {
		t.Fatal(err)
	}
}

func refuses(t *testing.T, p place, from, to eventstore.Mark) {
	t.Helper()
	if err := p.Move(context.Background(), from, to); !errors.Is(err, checkpoint.ErrMoved) {
		t.Fatalf("got %v", err)
	}
}

func TestFollowersMoveApart(t *testing.T) {
	conn, ctx := connect(t), context.Background()
	if _, err := conn.Exec(ctx, "set search_path = gesta"); err != nil {
		t.Fatal(err)
	}
	relay, proof := mark(3), mark(8)
	var found checkpoint.Table // by search_path
	for follower, to := range map[string]eventstore.Mark{"relay": relay, "proof": proof} {
		if err := found.Move(ctx, conn, follower, eventstore.Mark{}, to); err != nil {
			t.Fatal(err)
		}
	}
	is(t, checkpoint.Row{DB: conn, Table: truth, Follower: "relay"}, relay)
	is(t, checkpoint.Row{DB: conn, Table: truth, Follower: "proof"}, proof)
}

// A row may say that its follower is at the beginning.
func TestMovesFromTheBeginningOnce(t *testing.T) {
	conn, ctx := connect(t), context.Background()
	if _, err := conn.Exec(ctx, `insert into gesta.checkpoints (follower, position, event_id) values ('relay', 0, $1)`, [16]byte{}); err != nil {
		t.Fatal(err)
	}
	row, first := checkpoint.Row{DB: conn, Table: truth, Follower: "relay"}, mark(3)
	is(t, row, eventstore.Mark{})
	moves(t, row, eventstore.Mark{}, first)
	refuses(t, row, eventstore.Mark{}, mark(8))
	is(t, row, first)
}

func TestRolledBackMoveIsNone(t *testing.T) {
	conn, ctx := connect(t), context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	moves(t, checkpoint.Row{DB: tx, Table: truth, Follower: "relay"}, eventstore.Mark{}, mark(3))
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	is(t, checkpoint.Row{DB: conn, Table: truth, Follower: "relay"}, eventstore.Mark{})
}

func TestFailureIsNoAnswer(t *testing.T) {
	conn, ctx := connect(t), context.Background()
	nowhere := checkpoint.Row{DB: conn, Table: checkpoint.Table{Name: pgx.Identifier{"nowhere"}}}
	if _, err := nowhere.Get(ctx); err == nil {
		t.Error("it is somewhere")
	}
	if err := nowhere.Move(ctx, eventstore.Mark{}, mark(1)); err == nil || errors.Is(err, checkpoint.ErrMoved) {
		t.Errorf("got %v", err)
	}
}

func TestVerify(t *testing.T) {
	ours, theirs := &relaytest.History{Name: "ours"}, &relaytest.History{Name: "theirs"}
	ours.Grow(10)
	for name, c := range map[string]struct {
		seen eventstore.Mark
		want *checkpoint.Forked
	}{
		"the beginning":  {eventstore.Mark{}, nil},
		"an event":       {ours.One(7).Mark(), nil},
		"a rival's":      {theirs.One(7).Mark(), &checkpoint.Forked{Seen: theirs.One(7).Mark(), Stored: ours.One(7).Mark()}},
		"beyond the end": {ours.One(12).Mark(), &checkpoint.Forked{Seen: ours.One(12).Mark(), Stored: ours.One(10).Mark()}},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkpoint.Verify(context.Background(), ours, c.seen)
			got, _ := err.(*checkpoint.Forked)
			if (err == nil) != (c.want == nil) || c.want != nil && (got == nil || *got != *c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestAfterReadsOnlyInTheSameHistory(t *testing.T) {
	ours, theirs := &relaytest.History{Name: "ours"}, &relaytest.History{Name: "theirs"}
	ours.Grow(10)
	for name, c := range map[string]struct {
		seen        eventstore.Mark
		first, last int64
	}{
		"the beginning": {eventstore.Mark{}, 1, 4},
		"an event":      {ours.One(3).Mark(), 4, 7},
		"near the end":  {ours.One(9).Mark(), 10, 10},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := checkpoint.After(context.Background(), ours, c.seen, 4)
			if err != nil || got[0].Position != c.first || got[len(got)-1].Position != c.last {
				t.Errorf("got %d events, %v", len(got), err)
			}
		})
	}
	for _, seen := range []eventstore.Mark{theirs.One(1).Mark(), theirs.One(10).Mark(), ours.One(11).Mark()} {
		if got, err := checkpoint.After(context.Background(), ours, seen, 4); !isFork(err) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if got, err := checkpoint.After(context.Background(), ours, ours.One(10).Mark(), 4); len(got) > 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func isFork(err error) bool {
	var f *checkpoint.Forked
	return errors.As(err, &f)
}

func TestVerifyAsksAStoreThatIsAway(t *testing.T) {
	ours, away := &relaytest.History{Name: "ours"}, errors.New("no route to host")
	ours.SetAway(away)
	if err := checkpoint.Verify(context.Background(), ours, ours.One(1).Mark()); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
}
