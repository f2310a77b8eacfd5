package proof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/proof"
)

// example has everything that a row can have.
var example = eventstore.Recorded{
	NewEvent: eventstore.NewEvent{
		ID: id.Event{ID: id.Named("event")}, Type: "identity.user.registered", Schema: 2,
		Data: []byte(`{"email":"sealed:1:AAAA", "name":"Zoë"}`), Secret: []byte(`{"hash":"sealed:1:BBBB"}`),
		Meta: []byte(`{"realm":"accounts"}`), OccurredAt: time.Date(2026, 2, 3, 4, 5, 6, 789_012_000, time.UTC),
	},
	Position: 41, Stream: domain.Stream{Kind: "identity.user", ID: id.Named("user")}, Version: 3,
	RecordedAt: time.Date(2026, 2, 3, 4, 5, 7, 1000, time.UTC),
}

// The encoding is for ever: proofs that were handed out hold it.
func TestLeafGolden(t *testing.T) {
	const golden = "testdata/leaf.hex"
	leaf := proof.LeafOf(example).AppendTo(nil)
	hash := tlog.RecordHash(leaf)
	got := hex.EncodeToString(leaf) + "\n" + hash.String() + "\n"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if proof.LeafOf(example).Hash() != hash {
		t.Error("the hash is not that of RFC 6962")
	}
	if bytes.Contains(leaf, example.Secret) {
		t.Error("the secret fields stand in the leaf")
	}
}

func TestLeavesSayWhatTheyWereMadeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := randomLeaf(t)
		text := want.AppendTo(nil)
		got, err := proof.ParseLeaf(text)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Fatal(err, cmp.Diff(want, got))
		}
		cut := rapid.IntRange(0, len(text)-1).Draw(t, "cut")
		if _, err := proof.ParseLeaf(text[:cut]); !errors.Is(err, proof.ErrLeaf) {
			t.Fatalf("%d bytes of it: %v", cut, err)
		}
		if _, err := proof.ParseLeaf(append(text, 0)); !errors.Is(err, proof.ErrLeaf) {
			t.Fatal("a byte too many:", err)
		}
	})
}

func randomLeaf(t *rapid.T) (l proof.Leaf) {
	bytesOf := func(name string) []byte { return append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, name)...) }
	idOf := func(name string) (i id.ID) {
		copy(i[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
		return i
	}
	l = proof.Leaf{
		Position: rapid.Int64Min(1).Draw(t, "position"), Version: rapid.Int64Min(1).Draw(t, "version"),
		Stream: domain.Stream{Kind: rapid.String().Draw(t, "kind"), ID: idOf("stream")}, Event: id.Event{ID: idOf("event")},
		Type: rapid.String().Draw(t, "type"), Schema: uint32(rapid.Int32Min(1).Draw(t, "schema")),
		Data: bytesOf("data"), Meta: bytesOf("metadata"),
		OccurredAt: rapid.Int64().Draw(t, "occurred"), RecordedAt: rapid.Int64().Draw(t, "recorded"),
	}
	if rapid.Bool().Draw(t, "secret") {
		digest := sha256.Sum256(bytesOf("secrets"))
		l.Secret = &digest
	}
	return l
}

// Whatever differs in a row differs in its leaf.
func TestEachFieldCounts(t *testing.T) {
	all := map[string]string{}
	for name, change := range map[string]func(*eventstore.Recorded){
		"nothing":      func(*eventstore.Recorded) {},
		"position":     func(r *eventstore.Recorded) { r.Position++ },
		"kind":         func(r *eventstore.Recorded) { r.Stream.Kind += "x" },
		"stream":       func(r *eventstore.Recorded) { r.Stream.ID[0]++ },
		"version":      func(r *eventstore.Recorded) { r.Version++ },
		"event":        func(r *eventstore.Recorded) { r.ID.ID[15]++ },
		"type":         func(r *eventstore.Recorded) { r.Type = "identity.user.removed" },
		"schema":       func(r *eventstore.Recorded) { r.Schema++ },
		"data":         func(r *eventstore.Recorded) { r.Data = []byte(strings.ReplaceAll(string(r.Data), ", ", ",")) },
		"secret":       func(r *eventstore.Recorded) { r.Secret = []byte(`{}`) },
		"no secret":    func(r *eventstore.Recorded) { r.Secret = nil },
		"empty secret": func(r *eventstore.Recorded) { r.Secret = []byte{} },
		"metadata":     func(r *eventstore.Recorded) { r.Meta = []byte(`{}`) },
		"occurred":     func(r *eventstore.Recorded) { r.OccurredAt = r.OccurredAt.Add(time.Microsecond) },
		"recorded":     func(r *eventstore.Recorded) { r.RecordedAt = r.RecordedAt.Add(time.Microsecond) },
	} {
		r := example
		change(&r)
		hash := proof.LeafOf(r).Hash().String()
		if other, twice := all[hash]; twice {
			t.Errorf("%s and %s have one leaf", name, other)
		}
		all[hash] = name
	}
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(proof.LeafOf(example).AppendTo(nil))
	f.Add([]byte{1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := proof.ParseLeaf(text)
		if err == nil && !bytes.Equal(l.AppendTo(nil), text) {
			t.Error("one leaf is written in two ways")
		}
	})
}
