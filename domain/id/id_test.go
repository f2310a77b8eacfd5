package id_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gesta/domain/id"
)

var strictUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestBothSpellingsAreTheSameID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "ms"))
		i := id.New(at)
		if !strictUUID.MatchString(i.UUID()) {
			t.Fatalf("%s is no UUIDv7", i.UUID())
		}
		for _, spell := range []func(string) string{strings.ToLower, strings.ToUpper} {
			a, err1 := id.Parse(spell(i.String()))
			b, err2 := id.ParseUUID(spell(i.UUID()))
			if err1 != nil || err2 != nil || a != i || b != i {
				t.Fatalf("%s and %s: %v %v", i, i.UUID(), err1, err2)
			}
		}
	})
}

func TestIDsSortByTime(t *testing.T) {
	early, late := id.New(time.UnixMilli(1000)), id.New(time.UnixMilli(1001))
	if early.String() >= late.String() || early.UUID() >= late.UUID() {
		t.Errorf("%s, %s", early, late)
	}
}

func TestANameAlwaysHasTheSameID(t *testing.T) {
	if again := id.Named("a"); id.Named("a") != again || again == id.Named("b") {
		t.Error("names and ids don't match")
	}
	if i, err := id.Parse(id.Named("a").String()); err != nil || i != id.Named("a") {
		t.Errorf("%s: %v", i, err)
	}
}

func TestANameOfATimeSortsByIt(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	early, late := id.NamedAt("b", at), id.NamedAt("a", at.Add(time.Millisecond))
	if early.String() >= late.String() || early != id.NamedAt("b", at) || early == id.NamedAt("a", at) {
		t.Errorf("%s, %s", early, late)
	}
	if before, after := id.New(at.Add(-time.Millisecond)), id.New(at.Add(time.Millisecond)); early.UUID() <= before.UUID() || early.UUID() >= after.UUID() {
		t.Errorf("%s is not between %s and %s", early, before, after)
	}
}

func TestAsJSON(t *testing.T) {
	type thing struct{ User id.User }
	for _, want := range []thing{{}, {id.User{ID: id.New(time.Now())}}} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got thing
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
}

// Whatever is accepted has one meaning, and is spelled again as the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a805\x00", "{01890a5d-ac96-774b-bcce-b302099a8057}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if i, err := id.Parse(s); err == nil && i.String() != strings.ToUpper(s) {
			t.Errorf("%q is read as %s", s, i)
		}
		if i, err := id.ParseUUID(s); err == nil && i.UUID() != strings.ToLower(s) {
			t.Errorf("%q is read as %s", s, i.UUID())
		}
	})
}
