package proof_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/proof"
	"gesta/eventstore/scribe"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// house is a store whose history is proven.
type house struct {
	*testing.T
	store *postgres.Store
	owner *pgx.Conn
	key   proof.Key
	size  int64

	mu   sync.Mutex
	told []proof.Checkpoint
}

func open(t *testing.T) *house {
	t.Helper()
	url := pgtest.Database(t)
	store, err := postgres.Open(t.Context(), postgres.Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	h := &house{T: t, store: store, owner: pgtest.Connect(t, url), key: keyOf(t, "gesta", 'a')}
	h.exec("set search_path = gesta")
	h.exec("alter table events disable trigger all")
	return h
}

func (h *house) exec(sql string, args ...any) {
	h.Helper()
	if _, err := h.owner.Exec(h.Context(), sql, args...); err != nil {
		h.Fatal(err)
	}
}

// grow appends events, some of them with secret fields.
func (h *house) grow(events int) {
	h.Helper()
	for events > 0 {
		now := time.Now()
		w := eventstore.Write{Stream: domain.Stream{Kind: "a.thing", ID: id.New(now)}}
		for range min(events, 1000) {
			h.size++
			e := eventstore.NewEvent{
				ID: id.Event{ID: id.New(now)}, Type: "a.thing.happened", Schema: 1, OccurredAt: now,
				Data: fmt.Appendf(nil, `{"n": "%d", "x":"<\u00e9\n>"}`, h.size), Meta: []byte(`{"realm":"é"}`),
			}
			if h.size%3 == 0 {
				e.Secret = fmt.Appendf(nil, `"secret %d"`, h.size)
			}
			w.Events = append(w.Events, e)
		}
		events -= len(w.Events)
		if _, err := h.store.Append(h.Context(), eventstore.Append{Writes: []eventstore.Write{w}}); err != nil {
			h.Fatal(err)
		}
	}
}

func (h *house) log() *proof.Log {
	return &proof.Log{DB: h.store.Pool(), Key: h.key, Signed: func(c proof.Checkpoint) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !slices.Contains(h.told, c) { // Who takes over tells again.
			h.told = append(h.told, c)
		}
	}}
}

func (h *house) checkpoints() []proof.Checkpoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]proof.Checkpoint(nil), h.told...)
}

func (h *house) scribe(l *proof.Log) *scribe.Scribe {
	return &scribe.Scribe{
		Name: proof.Name, Store: h.store, Pool: h.store.Pool(), Log: slog.New(slog.DiscardHandler), Begin: l.Begin, Write: l.Write, Wrote: l.Wrote,
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
	}
}

// run runs a scribe until the test ends, or stop is called.
func (h *house) run(s *scribe.Scribe) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.Error(err)
		}
	})
	h.Cleanup(stop)
	return stop
}

// prove has the log grow and be signed up to the end of the history, by nobody who goes on with it.
func (h *house) prove() {
	h.Helper()
	stop := h.run(h.scribe(h.log()))
	h.level()
	stop()
}

// level waits until all is signed and told of.
func (h *house) level() {
	h.Helper()
	wait.Until(h, "all is signed", func() bool {
		at, err := proof.ReachOf(h.Context(), h.store.Pool())
		return err == nil && at.Signed == h.size && at.Size == h.size && slices.ContainsFunc(h.checkpoints(), func(c proof.Checkpoint) bool { return c.N == h.size })
	})
}

// grown waits until the log has all events, signed or not.
func (h *house) grown() {
	h.Helper()
	wait.Until(h, "the log has all", func() bool {
		at, err := proof.ReachOf(h.Context(), h.store.Pool())
		return err == nil && at.Size == h.size
	})
}

// refuses waits until a log does not sign what it has.
func (h *house) refuses(l *proof.Log) {
	h.Helper()
	wait.Until(h, "it refuses", func() bool { return errors.Is(l.Status().Err, proof.ErrOtherHistory) })
}

func (h *house) prover() proof.Prover {
	return proof.Prover{DB: h.store.Pool(), Store: h.store, Open: h.key.Open}
}

// tiles are all of them.
func (h *house) tiles() string {
	h.Helper()
	var all string
	if err := h.owner.QueryRow(h.Context(), `select string_agg(level || '/' || tile || '=' || encode(hashes, 'hex'), ' ' order by level, tile) from proof_tiles`).Scan(&all); err != nil {
		h.Fatal(err)
	}
	return all
}

func (h *house) audit(kept ...proof.KeptCheckpoint) (findings []string) {
	h.Helper()
	_, err := proof.Audit{
		DB: h.store.Pool(), Store: h.store, Open: h.key.Open, Kept: kept, Report: func(s string) { findings = append(findings, s) },
	}.Run(h.Context())
	if err != nil {
		h.Error(err)
	}
	return findings
}

func (h *house) isWell(kept ...proof.KeptCheckpoint) {
	h.Helper()
	if found := h.audit(kept...); len(found) > 0 {
		h.Error("found:", found)
	}
}

// Each checkpoint is of a later moment than the one before, down to the last event.
func TestTheLogIsSignedAsItGrows(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.run(h.scribe(h.log()))
	for _, events := range []int{1, 1, 4500, 300} {
		h.grow(events)
		h.level()
	}
	told := h.checkpoints()
	for i, c := range told {
		if again, err := h.key.Open(c.Text); err != nil || again != c || i > 0 && c.N <= told[i-1].N {
			t.Error(again, err)
		}
	}
	if last, err := h.prover().Checkpoint(t.Context()); err != nil || last != told[len(told)-1] {
		t.Error(last, err)
	}
	h.isWell()
}

func TestWhatIsMadeAnewIsTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.run(h.scribe(h.log()))
	for _, events := range []int{700, 1, 255, 1500} { // Partial tiles grow.
		h.grow(events)
		h.level()
	}
	was := h.tiles()
	for _, clear := range []string{
		"truncate proof_tiles; update proof_log set size = 0",
		"delete from proof_tiles; delete from proof_log", // With what was signed.
	} {
		h.exec(clear + "; delete from checkpoints where follower = 'proof'")
		wait.Until(t, "the tiles are there", func() bool {
			at, err := proof.ReachOf(t.Context(), h.store.Pool())
			return err == nil && at.Size == h.size
		})
		if is := h.tiles(); is != was {
			t.Error("the tiles are others")
		}
	}
}

func TestOfTwoLogsNoneHarmsTheOther(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.run(h.scribe(h.log()))
	h.run(h.scribe(h.log()))
	for range 20 {
		h.grow(300)
		wait.Until(t, "the log is level", func() bool {
			at, err := proof.ReachOf(t.Context(), h.store.Pool())
			return err == nil && at.Size == h.size
		})
	}
	h.level()
	h.isWell()
}

// What was written and not committed is not gone on with.
func TestAFailedWriteIsForgotten(t *testing.T) {
	t.Parallel()
	h := open(t)
	l := h.log()
	s := h.scribe(l)
	var fail sync.Once
	s.Write = func(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) (err error) {
		if err = l.Write(ctx, tx, rows); err == nil && rows[0].Position > 1 {
			fail.Do(func() { err = errors.New("the disk is full") })
		}
		return err
	}
	h.grow(2500)
	h.run(s)
	h.level()
	h.isWell()
}

// A history that is not the one that was signed is signed no more, by whoever leads next.
func TestAnotherHistoryIsNotSigned(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]string{
		"changed together": "update events set data = '{}' where position = 2; truncate proof_tiles; update proof_log set size = 0; delete from checkpoints",
		"forged":           "update proof_log set checkpoint = replace(checkpoint, e'\n3\n', e'\n2\n'), signed = 2",
		"taken away":       "update proof_log set checkpoint = ''",
		"another size":     "update proof_log set signed = 2",
		"tiles":            "update proof_tiles set hashes = set_byte(hashes, 40, 255 - get_byte(hashes, 40))",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			h.grow(3)
			h.prove()
			h.exec(harm)
			h.grow(4)
			l := h.log()
			s := h.scribe(l)
			h.run(s)
			h.refuses(l)
			h.grow(2500) // The log grows all the same, and nobody rests.
			h.grown()
			if n := len(h.checkpoints()); n != 1 || s.Err() != nil {
				t.Errorf("%d checkpoints are signed: %v", n, s.Err())
			}
			if err := l.Status().Err; !errors.Is(err, proof.ErrOtherHistory) || !strings.Contains(err.Error(), "gesta audit verify") {
				t.Error(err)
			}
		})
	}
}

// anyProof proves at random.
func (h *house) anyProof(p proof.Prover) {
	h.Helper()
	rapid.Check(h.T, func(t *rapid.T) {
		to := rapid.Int64Range(1, h.size).Draw(t, "to")
		from := rapid.Int64Range(1, to).Draw(t, "from")
		i, err := p.Inclusion(h.Context(), from)
		if err == nil {
			err = tlog.CheckRecord(i.Hashes, i.Checkpoint.N, i.Checkpoint.Hash, from-1, tlog.RecordHash(i.Leaf))
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Consistency(h.Context(), from, to)
		if err == nil {
			err = tlog.CheckTree(c.Hashes, c.To.N, c.To.Hash, c.From.N, c.From.Hash)
		}
		if err != nil {
			t.Fatal(err)
		}
		if from < to && tlog.CheckTree(c.Hashes, c.To.N, c.To.Hash, from+1, c.From.Hash) == nil {
			t.Fatal("it proves another size as well")
		}
	})
}

// Whoever has a checkpoint and the leaf needs nothing else.
func TestProofs(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.prover()
	if _, err := p.Inclusion(t.Context(), 1); !errors.Is(err, proof.ErrNothingSigned) {
		t.Error(err)
	}
	h.grow(255)
	h.prove()
	older, err := p.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.grow(1200)
	h.prove()
	for _, position := range []int64{1, 2, 255, 256, 257, 512, 1024, h.size} {
		i, err := p.Inclusion(t.Context(), position)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(i.Hashes, i.Checkpoint.N, i.Checkpoint.Hash, position-1, tlog.RecordHash(i.Leaf)); err != nil {
			t.Error(position, err)
		}
		if l, err := proof.ParseLeaf(i.Leaf); err != nil || l.Position != position {
			t.Error(l, err)
		}
	}
	for _, sizes := range [][2]int64{{1, 1}, {1, h.size}, {255, 0}, {256, 257}, {512, 1024}, {h.size, h.size}} {
		c, err := p.Consistency(t.Context(), sizes[0], sizes[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(c.Hashes, c.To.N, c.To.Hash, c.From.N, c.From.Hash); err != nil {
			t.Error(sizes, err)
		}
		if err := tlog.CheckTree(c.ToCheckpoint, c.Checkpoint.N, c.Checkpoint.Hash, c.To.N, c.To.Hash); err != nil {
			t.Error("what was signed does not prove it:", sizes, err)
		}
		if c.From.N == older.N && c.From != older.Tree || c.To.N == h.size && c.To != c.Checkpoint.Tree {
			t.Error("the roots are not those that were signed")
		}
	}
	h.anyProof(p)
	for _, one := range []struct {
		position int64
		want     error
	}{{0, proof.ErrNoPosition}, {-1, proof.ErrNoPosition}, {h.size + 1, proof.ErrBeyondCheckpoint}} {
		if _, err := p.Inclusion(t.Context(), one.position); !errors.Is(err, one.want) {
			t.Error(one.position, err)
		}
	}
	for _, one := range []struct {
		from, to int64
		want     error
	}{{0, 1, proof.ErrNoSizes}, {2, 1, proof.ErrNoSizes}, {1, -1, proof.ErrNoSizes}, {1, h.size + 1, proof.ErrBeyondCheckpoint}, {h.size + 1, 0, proof.ErrBeyondCheckpoint}} {
		if _, err := p.Consistency(t.Context(), one.from, one.to); !errors.Is(err, one.want) {
			t.Error(one, err)
		}
	}
	h.exec("update events set data = '{}' where position = 7; delete from events where position = 8")
	for _, position := range []int64{7, 8} {
		if _, err := p.Inclusion(t.Context(), position); !errors.Is(err, proof.ErrDamaged) || !errors.Is(err, proof.ErrLogDamaged) {
			t.Error("a changed event is proven:", err)
		}
	}
	h.exec("update proof_tiles set hashes = set_byte(hashes, 40, 255 - get_byte(hashes, 40)) where level = 0 and tile = 0")
	if _, err := p.Inclusion(t.Context(), 1); !errors.Is(err, proof.ErrLogDamaged) {
		t.Error("damaged tiles prove something:", err)
	}
	if _, err := p.Consistency(t.Context(), 1, 0); !errors.Is(err, proof.ErrLogDamaged) {
		t.Error("damaged tiles prove something:", err)
	}
	h.exec("truncate proof_tiles; update proof_log set size = 1")
	if _, err := p.Inclusion(t.Context(), 1); !errors.Is(err, proof.ErrLogRebuilding) {
		t.Error("what is not there proves something:", err)
	}
	if at, err := (checkpoint.Table{}).Get(t.Context(), h.owner, proof.Name); err != nil || at.Position != h.size {
		t.Error(at, err)
	}
}
