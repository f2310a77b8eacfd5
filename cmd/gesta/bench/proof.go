package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/proof"
	"gesta/eventstore/scribe"
	"gesta/projections"
)

const (
	provenEvents = 200_000
	pacedRate    = 10_000 // appends a second
	pacedRounds  = 15
	lagEvery     = 20 * time.Millisecond
)

// proven is a store whose history is proven.
type proven struct {
	store   *postgres.Store
	handoff *eventstore.Handoff
	owner   *pgxpool.Pool // who may take the log away
	scan    *pgxpool.Pool
	key     proof.Key
}

// proof shows what the log over the history costs who appends, and what it takes to build, export and verify.
func (l *lab) proof(ctx context.Context) error {
	p, end, err := l.proven(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, measure := range []func(context.Context, *proven) error{l.proofBuilding, l.proofExport, l.proofPaced} {
		if err := measure(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) proven(ctx context.Context) (p *proven, end func(), err error) {
	i, err := l.database(ctx)
	if err != nil {
		return nil, nil, err
	}
	p = &proven{handoff: &eventstore.Handoff{}}
	if p.store, err = postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema, Handoff: p.handoff}); err != nil {
		return nil, nil, err
	}
	v, err := vaultOf(ctx, p.store, i)
	if err == nil {
		err = fill(ctx, p.store, ink{Vault: v}, provenEvents)
	}
	if err != nil {
		return nil, nil, err
	}
	if p.key, err = proof.NewKey("bench", v.Keys.Checkpoints()); err != nil {
		return nil, nil, err
	}
	owner, err1 := pool(ctx, i.Owner, 1)
	scan, err2 := pool(ctx, i.App, 1)
	p.owner, p.scan = owner, scan
	return p, func() { owner.Close(); scan.Close(); p.store.Close() }, errors.Join(err1, err2)
}

// forget takes the log away.
func (p *proven) forget(ctx context.Context) error {
	_, err := p.owner.Exec(ctx, `truncate gesta.proof_tiles; delete from gesta.proof_log; delete from gesta.checkpoints where follower = 'proof'`)
	return err
}

// follow runs the log until stop is called; level waits until it has passed a position.
func (p *proven) follow(ctx context.Context) (level func(position int64) error, stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	log := &proof.Log{DB: p.store.Pool(), Key: p.key}
	wrote := make(chan int64, 1)
	s := &scribe.Scribe{
		Name: proof.Name, Store: p.store, Pool: p.store.Pool(), Log: slog.New(slog.DiscardHandler), Begin: log.Begin, Write: log.Write, Handoff: p.handoff,
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Wrote: func(ctx context.Context, at eventstore.Mark) error {
			err := log.Wrote(ctx, at) // Who is told that it is level finds it signed: to take over is another thing than to follow.
			select {
			case <-wrote: // The one before is older.
			default:
			}
			wrote <- at.Position
			return err
		},
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	level = func(position int64) error {
		for {
			select {
			case at := <-wrote:
				if at >= position {
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return level, func() error { cancel(); return <-done }
}

// followAndIndex is follow with the index of the history, as the role audit runs both.
func (p *proven) followAndIndex(ctx context.Context) (level func(position int64) error, stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	index := projections.History{DB: &postgres.Lookups{Pool: p.store.Pool()}, Truth: schema}
	s := &scribe.Scribe{
		Name: projections.HistoryFollower, Store: p.store, Pool: p.store.Pool(), Log: slog.New(slog.DiscardHandler), Write: index.Write, Handoff: p.handoff,
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	logged, end := p.follow(ctx)
	both := func(position int64) error {
		err := logged(position)
		for err == nil {
			if at, failed := index.Indexed(ctx); failed != nil || at >= position {
				return failed
			}
		}
		return err
	}
	return both, func() error { cancel(); return errors.Join(end(), <-done) }
}

// proofBuilding compares making the whole log with reading the same rows.
func (l *lab) proofBuilding(ctx context.Context, p *proven) error {
	build := whole(func(ctx context.Context) (int, error) {
		if err := p.forget(ctx); err != nil {
			return 0, err
		}
		level, stop := p.follow(ctx)
		err := level(provenEvents)
		return provenEvents, errors.Join(err, stop())
	})
	audit := whole(func(ctx context.Context) (int, error) {
		found := ""
		_, err := proof.Audit{DB: p.store.Pool(), Store: p.store, Open: p.key.Open, Report: func(f string) { found = f }}.Run(ctx)
		if err == nil && found != "" {
			err = errors.New(found)
		}
		return provenEvents, err
	})
	sign := whole(func(ctx context.Context) (int, error) { // So that an audit finds nothing.
		level, stop := p.follow(ctx)
		err := level(provenEvents)
		for err == nil {
			at, failed := proof.ReachOf(ctx, p.store.Pool())
			if err = failed; at.Signed == provenEvents {
				break
			}
		}
		return provenEvents, errors.Join(err, stop())
	})
	took, err := turns(ctx, 3, 0, build, sign, audit, collecting(p.scan))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("of %d events, against pgx collecting the same rows without decoding", provenEvents)
	l.rates("proof", "building the log "+what, "events", took[0], took[3], shown)
	l.rates("proof", "verifying the log "+what, "events", took[2], took[3], shown)
	return nil
}

// proofExport compares a bundle of everything with a scan of the same rows, and verifying it with hashing its bytes.
func (l *lab) proofExport(ctx context.Context, p *proven) error {
	path := filepath.Join(l.dir, "bundle")
	prover := proof.Prover{DB: p.store.Pool(), Store: p.store, Open: p.key.Open}
	export := func(ctx context.Context) (int, error) {
		file, err := os.Create(path)
		if err != nil {
			return 0, err
		}
		_, err = prover.Export(ctx, file, 1, provenEvents, p.key.Verifier())
		return provenEvents, errors.Join(err, file.Close())
	}
	read := func(do func(io.Reader) error) contestant {
		return whole(func(context.Context) (int, error) {
			file, err := os.Open(path)
			if err != nil {
				return 0, err
			}
			defer file.Close()
			return provenEvents, do(file)
		})
	}
	verify := read(func(in io.Reader) error { _, err := proof.VerifyBundle(in, p.key.Verifier()); return err })
	hash := read(func(in io.Reader) error { _, err := io.Copy(sha256.New(), in); return err })
	took, err := turns(ctx, 3, 0, whole(export), scanning(p.scan), verify, hash)
	if err != nil {
		return err
	}
	size, err := bytesPerEvent(path)
	if err != nil {
		return err
	}
	rates := func(what string, ours, reference []result) {
		mb := func(all []result) string { return number(medianOf(all, rate)*size/1e6) + " MB/s" }
		l.add(row{part: "proof", what: what, ours: mb(ours), reference: mb(reference), ratio: ratio(ours, reference, rate)})
	}
	rates(fmt.Sprintf("exporting a bundle of %d events, against one statement whose rows are scanned and thrown away", provenEvents), took[0], took[1])
	rates("verifying it by the key alone, against the SHA-256 of the file", took[2], took[3])
	return os.Remove(path)
}

func bytesPerEvent(path string) (float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	head, err := bufio.NewReaderSize(file, 1<<20).ReadSlice('\n')
	info, err2 := file.Stat()
	if err = errors.Join(err, err2); err != nil || bytes.Count(head, []byte{'\n'}) != 1 {
		return 0, err
	}
	return float64(info.Size()-int64(len(head))) / provenEvents, nil
}

// proofPaced times appends at a steady rate, while the log follows and while it does not.
func (l *lab) proofPaced(ctx context.Context, p *proven) error {
	appended := func() func(context.Context) error {
		one := appending(p.store)
		return func(ctx context.Context) error { return one()(ctx) } // Each is a stream of its own.
	}()
	var behind, late time.Duration
	type following func(context.Context) (level func(int64) error, stop func() error)
	// All catch up first, so that all begin with what that leaves behind; those who are compared with go on without.
	paced := func(follow following, goesOn bool) contestant {
		return func(ctx context.Context, lasting time.Duration) (r result, err error) {
			level, stop := follow(ctx)
			head, err := p.store.Head(ctx)
			if err == nil {
				err = level(head.Position)
			}
			if err == nil && !goesOn {
				err = stop()
				stop = func() error { return nil }
			}
			if err != nil {
				return r, errors.Join(err, stop())
			}
			watched, unwatch := p.watch(ctx)
			r, err = offered(ctx, pacedRate, lasting, appended)
			unwatch()
			lag := <-watched
			if goesOn {
				behind = max(behind, lag.most)
			}
			late = max(late, r.late)
			return r, errors.Join(err, lag.err, stop())
		}
	}
	with, without := paced(p.follow, true), paced(p.follow, false)
	took, err := turnsAtRandom(ctx, pacedRounds, 2*turn, with, without, with, without)
	if err != nil {
		return err
	}
	// Not in turns with the log alone: Postgres has to do with the index for a while longer.
	indexed, err := turnsAtRandom(ctx, pacedRounds, turn, paced(p.followAndIndex, true), paced(p.followAndIndex, false))
	if err != nil {
		return err
	}
	ours, reference := slices.Concat(took[0], took[2]), slices.Concat(took[1], took[3])
	for _, q := range []struct {
		name string
		of   func(result) float64
	}{{"p50", p50}, {"p99", p99}} {
		l.add(row{
			part: "proof", what: fmt.Sprintf("appends at %d/s while the log follows, %s, against without it (without it against itself: %s ×; sent late by %s at p99)",
				pacedRate, q.name, number(ratio(took[1], took[3], q.of)), millis(late)),
			ours: times(ours), reference: times(reference), ratio: ratio(ours, reference, q.of), target: atMost(1.05),
		})
	}
	for _, q := range []struct {
		name string
		of   func(result) float64
	}{{"p50", p50}, {"p99", p99}} {
		l.add(row{
			part: "proof", what: fmt.Sprintf("appends at %d/s while the log and the index of the history follow, %s, against without both", pacedRate, q.name),
			ours: times(indexed[0]), reference: times(indexed[1]), ratio: ratio(indexed[0], indexed[1], q.of), target: shown,
		})
	}
	l.add(row{
		part: "proof", what: fmt.Sprintf("how far the log is behind at that rate (%s), at most", perSecond(medianOf(ours, rate), "appends")), ours: millis(behind),
		ratio: behind.Seconds(), target: atMostOf(1, "s"),
	})
	return nil
}

// lag is by how much the log was behind at most, in the time that so many events take.
type lag struct {
	most time.Duration
	err  error
}

// watch asks again and again until it is stopped.
func (p *proven) watch(ctx context.Context) (watched <-chan lag, stop func()) {
	stopped := make(chan struct{})
	answer := make(chan lag, 1)
	go func() {
		var l lag
		defer func() { answer <- l }()
		for l.err == nil {
			select {
			case <-stopped:
				return
			case <-time.After(lagEvery):
			}
			at, err1 := proof.ReachOf(ctx, p.store.Pool())
			head, err2 := p.store.Head(ctx)
			l.err = errors.Join(err1, err2)
			l.most = max(l.most, time.Duration(head.Position-at.Size)*time.Second/pacedRate)
		}
	}()
	return answer, func() { close(stopped) }
}
