package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gesta/eventstore/proof"
)

// keyOf is a key made of a letter.
func keyOf(t testing.TB, origin string, letter byte) proof.Key {
	t.Helper()
	key, err := proof.NewKey(origin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{letter}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t testing.TB, key proof.Key, n int64) proof.Checkpoint {
	t.Helper()
	c, err := key.Sign(tlog.Tree{N: n, Hash: tlog.RecordHash([]byte{byte(n)})})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Anybody who reads notes can verify one.
func TestCheckpointIsANoteOfItsForm(t *testing.T) {
	key := keyOf(t, "audit.example.com/gesta", 'a')
	c := signed(t, key, 300)
	verifier, err := note.NewVerifier(key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(c.Text), note.VerifierList(verifier))
	if err != nil || n.Text != "audit.example.com/gesta\n300\n"+c.Hash.String()+"\n" {
		t.Errorf("%q %v", n.Text, err)
	}
	if !strings.HasPrefix(key.Verifier(), "audit.example.com/gesta+") || verifier.Name() != key.Origin() {
		t.Error(key.Verifier())
	}
	if again, err := key.Open(c.Text); err != nil || again != c {
		t.Error(again, err)
	}
	if renamed, err := keyOf(t, "gesta", 'a').Open(c.Text); err != nil || renamed != c {
		t.Error("what was signed under another origin is refused", err)
	}
}

func TestCheckpointsOfOthersAreRefused(t *testing.T) {
	key, other := keyOf(t, "gesta", 'a'), keyOf(t, "gesta", 'b')
	c := signed(t, key, 300)
	body, signature, _ := strings.Cut(c.Text, "\n\n")
	sign := func(body string) string { // What was never meant.
		signer, err := note.NewSigner("PRIVATE+KEY+" + strings.Join(strings.SplitN(key.Verifier(), "+", 3)[:2], "+") + "+AWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh")
		if err != nil {
			t.Fatal(err)
		}
		text, err := note.Sign(&note.Note{Text: body}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, one := range map[string]struct {
		text string
		want error
	}{
		"another key":         {signed(t, other, 300).Text, proof.ErrSignature},
		"another size":        {strings.Replace(c.Text, "300", "301", 1), proof.ErrSignature},
		"another root":        {strings.Replace(c.Text, c.Hash.String(), tlog.Hash{}.String(), 1), proof.ErrSignature},
		"another origin":      {strings.Replace(c.Text, "gesta\n300", "other\n300", 1), proof.ErrSignature},
		"no signature":        {body + "\n", proof.ErrCheckpoint},
		"another's signature": {body + "\n\n" + strings.SplitN(signed(t, key, 299).Text, "\n\n", 2)[1], proof.ErrSignature},
		"only a signature":    {signature, proof.ErrCheckpoint},
		"nothing":             {"", proof.ErrCheckpoint},
		"signed nonsense":     {sign("gesta\nmany\n" + c.Hash.String() + "\n"), proof.ErrCheckpoint},
		"a size with a plus":  {sign("gesta\n+300\n" + c.Hash.String() + "\n"), proof.ErrCheckpoint},
		"a root too short":    {sign("gesta\n300\nAAAA\n"), proof.ErrCheckpoint},
		"signed for another":  {sign("other\n300\n" + c.Hash.String() + "\n"), proof.ErrCheckpoint},
	} {
		open, err := proof.OpenWith(key.Verifier() + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(one.text); !errors.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
	}
	if got, err := proof.OpenCheckpoint(sign(body+"\nmore\n"), key.Verifier()); err != nil || got.N != 300 {
		t.Error("further lines, which the form allows, are refused:", err)
	}
}

func TestOriginsThatNameNoKey(t *testing.T) {
	for _, origin := range []string{"", "a b", "a+b", "a\tb", "a\nb", "a\u00a0b", "a\x00b", "\xff", strings.Repeat("a", 129)} {
		if _, err := proof.NewKey(origin, nil); !errors.Is(err, proof.ErrOrigin) {
			t.Errorf("%q: %v", origin, err)
		}
	}
	for _, key := range []string{"", "gesta", "gesta+1+AAAA", "gesta+00000000+" + strings.Repeat("A", 44)} {
		if _, err := proof.OpenWith(key); err == nil {
			t.Errorf("%q opens checkpoints", key)
		}
	}
}

func TestFileKeepsCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoints")
	key := keyOf(t, "gesta", 'a')
	write := func(text string) {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
		if err == nil {
			_, err = file.WriteString(text)
		}
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for n, cut := range []string{"", "gesta", "gesta\n12\n", "gesta\n12\n" + tlog.Hash{}.String() + "\n\n", "x", ""} { // As crashes leave them.
		write(cut)
		c := signed(t, key, int64(n+1))
		if err := proof.File(path).Append(c); err != nil {
			t.Fatal(err)
		}
		want = append(want, c.Text)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	cut, err := proof.ReadKept(bytes.NewReader(text), func(k proof.Kept) error {
		if line := strings.Split(string(text), "\n")[k.Line-1]; line != "gesta" {
			t.Errorf("line %d is %q", k.Line, line)
		}
		got = append(got, k.Text)
		return nil
	})
	if err != nil || cut != 4 || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%d cut, %v: %q", cut, err, got)
	}
	if err := proof.File(filepath.Join(path, "x")).Append(signed(t, key, 1)); err == nil {
		t.Error("what can't be written is")
	}
	if _, err := proof.ReadKept(strings.NewReader(strings.Repeat("x\n", 100_000)), func(proof.Kept) error { return nil }); err == nil {
		t.Error("any file is one of checkpoints")
	}
}
