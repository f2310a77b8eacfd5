package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// KeyBytes is the length of every key: AES-256.
const KeyBytes = 32

// Master wraps the keys of subjects, so that the database alone opens nothing.
type Master struct {
	name [4]byte // tells one from another, and nothing else of it
	aead cipher.AEAD
}

// NewMaster takes a master key of KeyBytes.
func NewMaster(key []byte) (Master, error) {
	if len(key) != KeyBytes {
		return Master{}, fmt.Errorf("seal: a master key has %d bytes, not %d", KeyBytes, len(key))
	}
	wrapping, err1 := derived(key, "gesta/wrap")
	name, err2 := derived(key, "gesta/master")
	if err := errors.Join(err1, err2); err != nil {
		return Master{}, err
	}
	return Master{name: [4]byte(name), aead: sealing(wrapping)}, nil
}

func derived(key []byte, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, key, nil, purpose, KeyBytes)
}

// sealing is AES-256-GCM that puts a random nonce before what it seals.
func sealing(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // The key has the right length.
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the right block.
	}
	return aead
}

func newKey() []byte {
	key := make([]byte, KeyBytes)
	_, _ = rand.Read(key) // It never fails.
	return key
}

// A wrapped key is its form, the name of the master that wraps it, and the key sealed for its subject alone.
const (
	wrappedForm = 1
	wrappedHead = 1 + len(Master{}.name)
)

// seal wraps a key for whoever it is: it opens for nobody else.
func (m Master) seal(whose, key []byte) []byte { return m.aead.Seal(m.head(), nil, key, whose) }

func (m Master) head() []byte { return append([]byte{wrappedForm}, m.name[:]...) }

func (m Master) wraps(wrapped []byte) bool { return bytes.HasPrefix(wrapped, m.head()) }

var errNotWrapped = errors.New("its key does not open")

// masters are the one that wraps, and those that still unwrap.
type masters []Master

func (all masters) know(wrapped []byte) bool {
	return slices.ContainsFunc(all, func(m Master) bool { return m.wraps(wrapped) })
}

func (all masters) open(whose, wrapped []byte) ([]byte, error) {
	for _, m := range all {
		if m.wraps(wrapped) {
			if key, err := m.aead.Open(nil, nil, wrapped[wrappedHead:], whose); err == nil && len(key) == KeyBytes {
				return key, nil
			}
		}
	}
	return nil, errNotWrapped
}

// LegacyClaims is the key that claims were hashed with before keys were kept: it followed from the master key.
func LegacyClaims(master []byte) ([]byte, error) { return derived(master, "gesta/claims") }
