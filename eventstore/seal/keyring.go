// Package seal keeps what is personal or secret in events closed to all who have not its key: AES-256-GCM, a key for
// each person, wrapped by the master key. Who is forgotten loses the key, and the history stays as it is.
//
// A sealed value is bound to its stream, event, subject and field, and opens nowhere else.
package seal

import (
	"context"
	"crypto/cipher"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"gesta/domain/id"
	"gesta/eventstore"
)

// MaxAge is how long an unwrapped key is in memory at most: Tidy every TidyEvery sees to that. At most some
// 10,000 are, of a kilobyte each.
const (
	MaxAge     = time.Minute
	TidyEvery  = 10 * time.Second
	generation = 15 * time.Second
	crowd      = 5000

	bulk = 100 // Who needs more at once reads the history, and must not push out those whom requests need.
)

// Store is where wrapped keys are kept: those of persons, and by name those of the house.
type Store interface {
	Source
	HouseKeys(context.Context) (map[string][]byte, error)
	KeepHouseKey(ctx context.Context, name string, wrapped []byte) error // unless there is one
}

// Source is where wrapped keys are read.
type Source interface {
	Keys(ctx context.Context, subjects []id.ID) ([]eventstore.SubjectKey, error)
}

// Keyring has the keys. It is safe for concurrent use.
type Keyring struct {
	Now func() time.Time // for how long keys are kept

	source  Source
	masters masters
	house
	made map[string]bool // keys of the house that were not there

	mu            sync.Mutex
	young, old    map[id.ID]entry // what came since the last change of generations, and before that
	changed       time.Time       // when that was
	ahead, behind map[id.ID]entry // of the last two pages of the history that were read ahead
	gone          map[id.ID]bool  // whose keys are to be taken for destroyed
	drops         int
}

// entry is what is known of a subject's key; the zero entry is that there is none.
type entry struct {
	key       cipher.AEAD
	forgotten bool
	err       error // why it can't be unwrapped
}

// house are the keys of the whole store.
type house struct {
	claims      []byte             // that names are hashed with
	secrets     cipher.AEAD        // of secrets that are nobody's
	receipts    ed25519.PrivateKey // that signs what was forgotten
	checkpoints ed25519.PrivateKey // that signs what the history was
}

// ClaimsKey names the first key of the house that a store gets.
const ClaimsKey = "claims"

// ErrMasterKey refuses a master key that is not the store's.
var ErrMasterKey = errors.New("seal: not the master key that wraps this store's keys")

// Open reads the keys of the house, and makes them where there are none. Claims are hashed with the given key from
// then on; nil for a new one. The first master wraps, the others still unwrap.
func Open(ctx context.Context, s Store, claims []byte, all ...Master) (*Keyring, error) {
	k := newKeyring(s, all)
	if claims == nil {
		claims = newKey()
	}
	fresh := map[string][]byte{ClaimsKey: claims, "secrets": newKey(), "receipts": newKey(), "checkpoints": newKey()}
	for {
		missing, err := k.openHouse(ctx, s)
		if err != nil || len(missing) == 0 {
			return k, err
		}
		// The claims' first: a store that has it was begun. Somebody else may be as fast: then it is theirs.
		for _, name := range missing {
			k.made[name] = true
			if err := s.KeepHouseKey(ctx, name, k.masters[0].seal([]byte(name), fresh[name])); err != nil {
				return nil, err
			}
		}
	}
}

// openHouse answers which keys of the house are not there. With another master key it opens none, and so makes none.
func (k *Keyring) openHouse(ctx context.Context, s Store) (missing []string, err error) {
	stored, err := s.HouseKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range []struct {
		name string
		use  func(key []byte)
	}{
		{ClaimsKey, func(key []byte) { k.house.claims = key }},
		{"secrets", func(key []byte) { k.house.secrets = sealing(key) }},
		{"receipts", func(key []byte) { k.house.receipts = ed25519.NewKeyFromSeed(key) }},
		{"checkpoints", func(key []byte) { k.house.checkpoints = ed25519.NewKeyFromSeed(key) }},
	} {
		wrapped, there := stored[one.name]
		if !there {
			missing = append(missing, one.name)
			continue
		}
		key, err := k.masters.open([]byte(one.name), wrapped)
		if err != nil {
			return nil, ErrMasterKey
		}
		one.use(key)
	}
	return missing, nil
}

func newKeyring(s Source, all masters) *Keyring {
	return &Keyring{Now: time.Now, source: s, masters: all, young: map[id.ID]entry{}, made: map[string]bool{}}
}

// Over is a keyring of its own over other keys of the same store, such as those of one moment.
func (k *Keyring) Over(s Source) *Keyring {
	over := newKeyring(s, k.masters)
	over.house = k.house
	return over
}

// Claims is the key that names are hashed with.
func (k *Keyring) Claims() []byte { return k.house.claims }

// Receipts is the key that receipts are signed with.
func (k *Keyring) Receipts() ed25519.PrivateKey { return k.house.receipts }

// Checkpoints is the key that checkpoints of the history are signed with.
func (k *Keyring) Checkpoints() ed25519.PrivateKey { return k.house.checkpoints }

// MadeCheckpoints tells that the key of checkpoints was not there when the keys were opened, and was made.
func (k *Keyring) MadeCheckpoints() bool { return k.made["checkpoints"] }

// of answers what is known of each of the subjects, from memory or from the store.
func (k *Keyring) of(ctx context.Context, subjects []id.ID) ([]entry, error) {
	known := make([]entry, len(subjects))
	missing := k.remembered(subjects, known)
	if len(missing) == 0 {
		return known, nil
	}
	fetched, before, err := k.fetch(ctx, missing)
	if err != nil {
		return nil, err
	}
	if len(missing) <= bulk {
		k.keep(fetched, before)
	}
	for i, s := range subjects {
		if e, is := fetched[s]; is {
			known[i] = e
		}
	}
	return known, nil
}

// fetch asks the store; before is what Drops answered before that.
func (k *Keyring) fetch(ctx context.Context, subjects []id.ID) (fetched map[id.ID]entry, before int, err error) {
	before = k.Drops()
	stored, err := k.source.Keys(ctx, subjects)
	if err == nil {
		fetched, err = k.unwrapped(stored)
	}
	return fetched, before, err
}

// Reveal answers somebody's key as the store has it, to be given away: nil where it was destroyed, and false where there
// is none.
func (k *Keyring) Reveal(ctx context.Context, subject id.ID) (key []byte, is bool, err error) {
	stored, err := k.source.Keys(ctx, []id.ID{subject})
	if err != nil || len(stored) == 0 || len(stored[0].Wrapped) == 0 {
		return nil, len(stored) > 0, err
	}
	if !k.masters.know(stored[0].Wrapped) {
		return nil, true, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, ErrUnknownMaster)
	}
	key, err = k.masters.open(subject[:], stored[0].Wrapped)
	return key, true, err
}

// Missing answers those of the subjects of whose keys nothing is known here.
func (k *Keyring) Missing(subjects ...id.ID) []id.ID {
	return k.remembered(subjects, make([]entry, len(subjects)))
}

// remembered fills in what is known, and answers who is not.
func (k *Keyring) remembered(subjects []id.ID, known []entry) (missing []id.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.age()
	for i, s := range subjects {
		e, is := k.get(s)
		if is {
			known[i] = e
		} else {
			missing = append(missing, s)
		}
	}
	return missing
}

func (k *Keyring) get(s id.ID) (e entry, is bool) {
	if k.gone[s] {
		return entry{forgotten: true}, true
	}
	for _, some := range []map[id.ID]entry{k.young, k.old, k.ahead, k.behind} {
		if e, is = some[s]; is {
			break
		}
	}
	return e, is
}

// age drops the older generation when its time has come, or too many have come.
func (k *Keyring) age() {
	now := k.Now()
	if now.Sub(k.changed) < generation && len(k.young) < crowd {
		return
	}
	if k.old = k.young; now.Sub(k.changed) >= 2*generation {
		k.old = nil
	}
	k.young, k.changed = map[id.ID]entry{}, now
	k.ahead, k.behind, k.gone = nil, nil, map[id.ID]bool{}
}

// Tidy drops keys that were kept for long enough.
func (k *Keyring) Tidy() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.age()
	k.ahead, k.behind = nil, nil
}

// Learn takes over keys that somebody has asked for beside something else; before is what Drops answered before that.
func (k *Keyring) Learn(stored []eventstore.SubjectKey, before int) {
	if fetched, err := k.unwrapped(stored); err == nil { // Whoever needs one of them is told.
		k.keep(fetched, before)
	}
}

// ErrUnknownMaster says that a key is wrapped by a master key that was not given: that is nobody's damage.
var ErrUnknownMaster = errors.New("seal: some keys are wrapped by another master key")

// unwrapped fails where a master key is missing, as if the store were away: it must be tried again with it.
func (k *Keyring) unwrapped(stored []eventstore.SubjectKey) (map[id.ID]entry, error) {
	fetched := make(map[id.ID]entry, len(stored))
	for _, one := range stored {
		if len(one.Wrapped) > 0 && !k.masters.know(one.Wrapped) {
			return nil, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, ErrUnknownMaster)
		}
		fetched[one.Subject] = k.opened(one)
	}
	return fetched, nil
}

func (k *Keyring) opened(one eventstore.SubjectKey) entry {
	if len(one.Wrapped) == 0 {
		return entry{forgotten: true}
	}
	key, err := k.masters.open(one.Subject[:], one.Wrapped)
	if err != nil {
		return entry{err: err}
	}
	return entry{key: sealing(key)}
}

// keep keeps what was fetched, unless a key was dropped meanwhile: then it may be older than that.
func (k *Keyring) keep(fetched map[id.ID]entry, before int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.age(); before != k.drops {
		return
	}
	for s, e := range fetched {
		if e.err == nil {
			k.young[s] = e
		}
	}
}

// Drop lets the store be asked again for somebody's key: it may have been destroyed.
func (k *Keyring) Drop(subject id.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drops++
	for _, some := range []map[id.ID]entry{k.young, k.old, k.ahead, k.behind} {
		delete(some, subject)
	}
}

// Gone has whoever asks find a key destroyed that the store does not have, for as long as keys are kept.
func (k *Keyring) Gone(subject id.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.age()
	k.gone[subject] = true
}

// Drops counts them: what was asked for before one may be older.
func (k *Keyring) Drops() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.drops
}

// Cached counts the keys that are in memory.
func (k *Keyring) Cached() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.young) + len(k.old) + len(k.ahead) + len(k.behind)
}

// Rewrap wraps a key by the first master, of a person or, by its name, of the house. It answers nil where that is so
// already, or there is nothing to wrap.
func (k *Keyring) Rewrap(whose, wrapped []byte) ([]byte, error) {
	if len(wrapped) == 0 || k.masters[0].wraps(wrapped) {
		return nil, nil
	}
	key, err := k.masters.open(whose, wrapped)
	if err != nil {
		return nil, err
	}
	return k.masters[0].seal(whose, key), nil
}

// New is a new key for somebody.
func (k *Keyring) New(subject id.ID) eventstore.SubjectKey {
	return k.wrap(subject, newKey())
}

// Heads are how the keys begin that each master wraps, the first one's first.
func (k *Keyring) Heads() (all [][]byte) {
	for _, m := range k.masters {
		all = append(all, m.head())
	}
	return all
}

func (k *Keyring) wrap(subject id.ID, key []byte) eventstore.SubjectKey {
	return eventstore.SubjectKey{Subject: subject, Wrapped: k.masters[0].seal(subject[:], key)}
}
