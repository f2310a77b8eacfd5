package commands

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"

	"gesta/domain"
)

// Passwords hashes and compares, at most one at a time per core: bcrypt is slow on purpose, and more
// at once would only make all of them slower.
type Passwords struct {
	Line int // how many may wait, however fast hashes are made

	cost  int
	cores *semaphore.Weighted
	most  int64        // the number of cores
	line  atomic.Int64 // those who wait or hash
	took  atomic.Int64 // nanoseconds that a hash took lately
	decoy string       // the hash of nobody's password, at the same cost
}

// maxBytes is as much of a password as bcrypt takes.
const maxBytes = 72

// How long somebody waits for a core before being told to come back, and how many wait unless told
// otherwise: fewer than there may be requests, so that a flood of sign-ins leaves room for others.
const (
	maxPasswordWait = 2 * time.Second
	maxPasswordLine = 128
)

// ErrBusy refuses when too many passwords wait to be hashed.
var ErrBusy = &domain.Fault{
	Kind: domain.Unavailable, Code: "busy", Text: "too busy, try again shortly", Retry: maxPasswordWait,
}

// NewPasswords hashes at the given bcrypt cost (4 to 31; 10 takes about 50 ms).
func NewPasswords(cost int) (*Passwords, error) {
	cores := int64(runtime.GOMAXPROCS(0))
	p := &Passwords{Line: maxPasswordLine, cost: cost, cores: semaphore.NewWeighted(cores), most: cores}
	err := p.timed(func() error {
		decoy, err := bcrypt.GenerateFromPassword([]byte("nobody's password"), cost)
		p.decoy = string(decoy)
		return err
	})
	return p, err
}

// Hash hashes a password of at most 72 bytes.
func (p *Passwords) Hash(ctx context.Context, password string) (hash string, err error) {
	err = p.onCore(ctx, func() error {
		b, err := bcrypt.GenerateFromPassword([]byte(password), p.cost)
		hash = string(b)
		return err
	})
	return hash, err
}

// IsStale tells whether a hash was made at another cost than hashes are made at now.
func (p *Passwords) IsStale(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err == nil && cost != p.cost
}

// Match compares a password with a hash. An empty hash stands for nobody: it takes as long, and never
// matches. A hash of another cost that does not match takes as long as nobody's at least.
func (p *Passwords) Match(ctx context.Context, hash, password string) (ok bool, err error) {
	nobody := hash == "" || len(password) > maxBytes // Bcrypt would compare only the beginning.
	if nobody {
		hash = p.decoy
	}
	err = p.onCore(ctx, func() error {
		err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password[:min(len(password), maxBytes)]))
		ok = err == nil && !nobody
		if err != nil && p.IsStale(hash) {
			err = bcrypt.CompareHashAndPassword([]byte(p.decoy), []byte(password))
		}
		if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return nil
		}
		return err
	})
	return ok, err
}

func (p *Passwords) onCore(ctx context.Context, f func() error) error {
	if err := Proven(ctx); err != nil {
		return err
	}
	defer p.line.Add(-1)
	if !p.hasRoom(p.line.Add(1) - p.most) {
		return ErrBusy
	}
	waiting, cancel := context.WithTimeout(ctx, maxPasswordWait)
	defer cancel()
	if err := p.cores.Acquire(waiting, 1); err != nil {
		return ErrBusy
	}
	defer p.cores.Release(1)
	return p.timed(f)
}

// hasRoom tells whether the last of so many in line would have a core in time. Who would not is refused
// at once: to wait first would help nobody.
func (p *Passwords) hasRoom(waiting int64) bool {
	return waiting <= int64(p.Line) && waiting*p.took.Load() <= p.most*int64(maxPasswordWait)
}

// timed notes how long a hash takes, the last ones counting most. A sample that is lost to another
// does no harm.
func (p *Passwords) timed(f func() error) error {
	begin := time.Now()
	err := f()
	took := int64(time.Since(begin))
	if before := p.took.Load(); before > 0 {
		took = before + (took-before)/8
	}
	p.took.Store(took)
	return err
}
