package commands

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"

	"gesta/domain"
)

// Passwords hashes and compares, at most one at a time per core: bcrypt is slow on purpose, and more
// at once would only make all of them slower.
type Passwords struct {
	cost  int
	cores *semaphore.Weighted
	decoy string // the hash of nobody's password, at the same cost
}

// maxBytes is as much of a password as bcrypt takes.
const maxBytes = 72

// How long somebody waits for a core before being told to come back.
const maxPasswordWait = 2 * time.Second

// ErrBusy refuses when too many passwords wait to be hashed.
var ErrBusy = &domain.Fault{
	Kind: domain.Unavailable, Code: "busy", Text: "too busy, try again shortly", Retry: maxPasswordWait,
}

// NewPasswords hashes at the given bcrypt cost (4 to 31; 10 takes about 50 ms).
func NewPasswords(cost int) (*Passwords, error) {
	decoy, err := bcrypt.GenerateFromPassword([]byte("nobody's password"), cost)
	return &Passwords{cost: cost, cores: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))), decoy: string(decoy)}, err
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
// matches.
func (p *Passwords) Match(ctx context.Context, hash, password string) (ok bool, err error) {
	nobody := hash == "" || len(password) > maxBytes // Bcrypt would compare only the beginning.
	if nobody {
		hash = p.decoy
	}
	err = p.onCore(ctx, func() error {
		err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password[:min(len(password), maxBytes)]))
		ok = err == nil && !nobody
		if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return nil
		}
		return err
	})
	return ok, err
}

func (p *Passwords) onCore(ctx context.Context, f func() error) error {
	waiting, cancel := context.WithTimeout(ctx, maxPasswordWait)
	defer cancel()
	if err := p.cores.Acquire(waiting, 1); err != nil {
		return ErrBusy
	}
	defer p.cores.Release(1)
	return f()
}
