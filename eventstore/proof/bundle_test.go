package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/eventstore/proof"
)

func (h *house) export(from, to int64) string {
	h.Helper()
	var out bytes.Buffer
	if _, err := h.prover().Export(h.Context(), &out, from, to, h.key.Verifier()); err != nil {
		h.Fatal(err)
	}
	return out.String()
}

func verify(text string, key proof.Key) error {
	_, err := proof.VerifyBundle(strings.NewReader(text), key.Verifier())
	return err
}

// Whatever is exported verifies, by the key alone.
func TestBundlesVerify(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(2600)
	h.prove()
	for _, part := range [][2]int64{{1, 1}, {1, 0}, {1, 2600}, {2600, 2600}, {256, 257}, {300, 1500}, {2049, 2100}} {
		text := h.export(part[0], part[1])
		b, err := proof.VerifyBundle(strings.NewReader(text), h.key.Verifier())
		if err != nil || b.From != part[0] || b.To != max(part[1], 2600*btoi(part[1] == 0)) || b.Checkpoint.N != h.size {
			t.Error(part, b, err)
		}
		if head, _, _ := strings.Cut(text, "\n"); len(head) > 3000 {
			t.Errorf("the head has %d bytes", len(head))
		}
		if strings.Contains(text, "secret 3") {
			t.Error("secret fields leave the store")
		}
	}
	for _, one := range []struct {
		from, to int64
		want     error
	}{{0, 1, proof.ErrNoSizes}, {3, 2, proof.ErrNoSizes}, {1, 2601, proof.ErrBeyondCheckpoint}, {2601, 0, proof.ErrNoSizes}} {
		if _, err := h.prover().Export(t.Context(), &bytes.Buffer{}, one.from, one.to, ""); !errors.Is(err, one.want) {
			t.Error(one, err)
		}
	}
	h.exec("update events set metadata = '{}' where position = 7; delete from events where position = 9")
	for to, want := range map[int64]string{8: "changed", 9: "position 9 is missing"} {
		if _, err := h.prover().Export(t.Context(), &bytes.Buffer{}, 1, to, ""); !errors.Is(err, proof.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Error(to, err)
		}
	}
}

func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// There is no byte that can be another: the line is named unless whoever changed it has changed its hash, too.
func TestEachByteOfABundleCounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(20)
	h.prove()
	text := h.export(5, 9)
	for i := range len(text) {
		for _, bit := range []byte{1, 32} {
			changed := []byte(text)
			changed[i] ^= bit
			err := verify(string(changed), h.key)
			if err == nil {
				t.Fatalf("byte %d of %q is not verified", i, text)
			}
			var wrong *proof.BundleError
			line := 1 + strings.Count(text[:i], "\n")
			if errors.As(err, &wrong) && wrong.Line != line && line > 1 && text[i] != '\n' { // The head says which line comes next.
				t.Errorf("line %d is named instead of line %d: %v", wrong.Line, line, err)
			}
			if line > 1 && wrong == nil {
				t.Errorf("line %d is not named: %v", line, err)
			}
		}
	}
}

// A number has one spelling, and no other number stands for it.
func TestEachNumberOfABundleCounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(20)
	h.prove()
	text := h.export(5, 9)
	for _, field := range regexp.MustCompile(`"(from|to|version|position|schema|occurred_at|recorded_at)":"(\d+)"`).FindAllStringSubmatchIndex(text, -1) {
		from, to := field[4], field[5]
		was, _ := new(big.Int).SetString(text[from:to], 10)
		spelled := []string{"0" + text[from:to], "+" + text[from:to], "-" + text[from:to], text[from:to] + "e0", text[from:to] + ".0", text[from:to] + " ", "", "0"}
		for _, bits := range []uint{8, 16, 31, 32, 33, 63, 64, 65} {
			by := new(big.Int).Lsh(big.NewInt(1), bits)
			spelled = append(spelled, new(big.Int).Add(was, by).String(), new(big.Int).Sub(was, by).String())
		}
		for _, other := range spelled {
			if verify(text[:from]+other+text[to:], h.key) == nil {
				t.Errorf("%s is verified as %s", text[field[0]:field[1]], other)
			}
		}
		bare := text[:from-1] + text[from:to] + text[to+1:]
		if verify(bare, h.key) == nil {
			t.Errorf("%s is verified without quotes", text[field[0]:field[1]])
		}
	}
	if forged := strings.ReplaceAll(text, `"schema":"1"`, `"schema":"4294967297"`); forged == text || verify(forged, h.key) == nil {
		t.Error("another schema is verified")
	}
}

func TestWhatIsWrongInABundleIsNamed(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(20)
	h.prove()
	text := h.export(5, 9)
	lines := strings.SplitAfter(text, "\n")[:6]
	without := func(n int) string { return strings.Join(slices.Delete(slices.Clone(lines), n, n+1), "") }
	swapped := slices.Clone(lines)
	swapped[2], swapped[3] = swapped[3], swapped[2]
	older := h.checkpoints()[0]
	h.grow(1)
	h.prove()
	newer := h.checkpoints()[1]
	other, foreign := h.key, keyOf(t, "gesta", 'b')
	wide, err := other.Sign(tlog.Tree{N: 20, Hash: tlog.Hash{1}})
	if err != nil {
		t.Fatal(err)
	}
	quoted := func(c proof.Checkpoint) string { return strings.Trim(fmt.Sprintf("%q", c.Text), `"`) }
	with := func(c proof.Checkpoint) string {
		return strings.Replace(text, quoted(older), quoted(c), 1)
	}
	// Who knows how leaves are made changes the hash as well: then no line can be named.
	l, err := proof.ParseLeaf(func() []byte {
		i, err := h.prover().Inclusion(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		return i.Leaf
	}())
	if err != nil {
		t.Fatal(err)
	}
	was := l.Hash().String()
	l.Type = "a.thing.else"
	clever := strings.Replace(lines[3], "a.thing.happened", l.Type, 1)
	clever = strings.Replace(clever, was, l.Hash().String(), 1)
	for name, one := range map[string]struct{ text, want string }{
		"a missing line":            {without(3), "line 4 (position 7) is not there: position 8 is"},
		"the last line missing":     {without(5), "line 6 (position 9) is missing"},
		"no head":                   {without(0), "line 1 is not the head of a bundle"},
		"a line too many":           {text + lines[5], "line 7 is one too many"},
		"an empty line":             {text + "\n", "line 7 is one too many"},
		"lines swapped":             {strings.Join(swapped, ""), "line 3 (position 6) is not there: position 7 is"},
		"a line twice":              {strings.Join(slices.Insert(slices.Clone(lines), 3, lines[2]), ""), "line 4 (position 7) is not there: position 6 is"},
		"half a line":               {text[:len(text)-20], "line 6 (position 9) is not written as an event is"},
		"another event":             {strings.Replace(text, "a.thing.happened", "a.thing.else", 1), "line 2 (position 5) is changed: its hash is another"},
		"another event with a hash": {strings.Replace(text, lines[3], clever, 1), proof.ErrOtherRoot.Error()},
		"a field more":              {strings.Replace(text, `,"leaf"`, `,"more":"","leaf"`, 1), "line 2 (position 5) is not written as an event is"},
		"a later checkpoint":        {with(newer), "line 1 has not as many hashes as it needs"},
		"another history's":         {with(wide), proof.ErrOtherRoot.Error()},
		"another key's":             {with(signed(t, foreign, 20)), "not signed by this key"},
		"nothing":                   {"", "line 1 is not the head of a bundle"},
	} {
		if err := verify(one.text, h.key); err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %v, want %s", name, err, one.want)
		}
	}
	if err := verify(text, h.key); err != nil {
		t.Error(err)
	}
	if err := verify(text, foreign); err == nil || !strings.Contains(err.Error(), "not signed by this key") {
		t.Error("another key:", err)
	}
	if _, err := proof.VerifyBundle(strings.NewReader(text), "nonsense"); err == nil {
		t.Error("no key verifies")
	}
	if err := verify(strings.Replace(text, h.key.Verifier(), foreign.Verifier(), 1), h.key); err == nil || !strings.Contains(err.Error(), "names another key") {
		t.Error(err)
	}
}
