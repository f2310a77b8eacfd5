package commands

import (
	"crypto/hmac"
	"crypto/sha256"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// Hasher turns the names that claims hold into keyed hashes, so that the store can't tell, nor anybody
// with a copy of it try out, which address is taken.
type Hasher struct{ key []byte }

// NewHasher takes the key of the store's claims (32 bytes), which stays the same for ever.
func NewHasher(key []byte) Hasher { return Hasher{key} }

// Fingerprint tells one key from another, and nothing else of it.
func (h Hasher) Fingerprint() []byte {
	sum := h.sum("fingerprint")
	return sum[:]
}

// Hash hashes a claim.
func (h Hasher) Hash(c domain.Claim) eventstore.Claim {
	scope := h.Scope(c.Scope)
	return eventstore.Claim{Scope: scope, Name: h.sum("name", string(scope[:]), c.Name)}
}

// ID is an id that follows from a claim, for whoever has the key.
func (h Hasher) ID(c domain.Claim) id.ID {
	name := h.Hash(c).Name
	return id.Named(string(name[:]))
}

// HashAll hashes several.
func (h Hasher) HashAll(claims []domain.Claim) []eventstore.Claim {
	var out []eventstore.Claim
	for _, c := range claims {
		out = append(out, h.Hash(c))
	}
	return out
}

// Key is a key for another purpose than claims, the same in every process of the store.
func (h Hasher) Key(purpose string) []byte {
	sum := h.sum("key", purpose)
	return sum[:]
}

// Scope hashes a scope alone.
func (h Hasher) Scope(scope string) eventstore.Hash { return h.sum("scope", scope) }

// sum needs no separator: what a part can begin with is fixed by the one before it.
func (h Hasher) sum(parts ...string) (out eventstore.Hash) {
	mac := hmac.New(sha256.New, h.key)
	for _, p := range parts {
		mac.Write([]byte(p))
	}
	copy(out[:], mac.Sum(nil))
	return out
}
