package domain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gesta/domain"
	"gesta/domain/id"
)

// looked is what somebody sees of data who may not see what is personal, and who may.
func looked(typ string, data string, o domain.Opener) (masked, opened string) {
	var m domain.Marks
	parties.Find(&m, typ, 1, []byte(data), false)
	masked = string(m.Masked())
	parties.Find(&m, typ, 1, []byte(data), true)
	return masked, string(m.Opened(o))
}

const partyType = "test.party.invited"

func TestWhatIsPersonalIsMaskedWhereverItStands(t *testing.T) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := ann.String(), bob.String()
	masked, opened := looked(partyType, string(enc.Data), locked{})
	want := `{"host_id":"` + host.String() + `","at":"2026-01-02T03:04:05Z","where":"[personal]","phone":"[personal]","vegan":"[personal]","guests":[` +
		`{"guest_id":"` + a + `","name":"[personal]","host":"[personal]","seats":[{"row":1},{"row":2}],"plus":{"age":"[personal]"}},` +
		`{"guest_id":"` + b + `","name":"[personal]","host":"[personal]","seats":null}],"menu":{"row":3},"related":["` + a + `"]}`
	if masked != want {
		t.Errorf("masked\n%s, not\n%s", masked, want)
	}
	shown, err := parties.Show(party())
	if err != nil || opened != string(shown) {
		t.Errorf("opened\n%s, not\n%s (%v)", opened, shown, err)
	}
	var m domain.Marks
	parties.Find(&m, partyType, 1, enc.Data, true)
	if got := m.AddSubjects(nil); len(got) != 3 || got[0] != host.ID || got[1] != ann.ID || got[2] != bob.ID {
		t.Errorf("subjects %v", got)
	}
}

func TestWhoIsForgottenIsSaidToBe(t *testing.T) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		t.Fatal(err)
	}
	_, opened := looked(partyType, string(enc.Data), locked{ann.ID: true})
	for _, want := range []string{`"name":"[forgotten]","host":"Hal"`, `"plus":{"age":"[forgotten]"}`, `"name":"Bob"`} {
		if !strings.Contains(opened, want) {
			t.Errorf("%s is not in %s", want, opened)
		}
	}
}

// Data that was written otherwise than by this program today.
func TestLookingAtStrangeData(t *testing.T) {
	h := `"host_id":"` + host.String() + `"`
	sealed := func(path, clear string) string {
		text, err := locked{}.Seal(domain.Place{Subject: host.ID, Path: path}, []byte(clear))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for what, c := range map[string]struct{ typ, data, masked, opened string }{
		"spaces stay": {
			partyType, ` { "note" : "` + sealed("note", "hi") + `" ,` + "\n" + h + ` } `,
			` { "note" : "[personal]" ,` + "\n" + h + ` } `, ` { "note" : "hi" ,` + "\n" + h + ` } `,
		},
		"written before it was sealed": {
			partyType, `{` + h + `,"note":"hello","where":{"Street":"Elm"},"phone":null}`,
			`{` + h + `,"note":"[personal]","where":"[personal]","phone":"[personal]"}`, `{` + h + `,"note":"hello","where":{"Street":"Elm"},"phone":null}`,
		},
		"a name in another case": {
			partyType, `{` + h + `,"NOTE":"hello","ſeats":1,"n\u006fte":"` + sealed("note", "a") + `"}`,
			`{` + h + `,"NOTE":"[personal]","ſeats":1,"n\u006fte":"[personal]"}`, `{` + h + `,"NOTE":"hello","ſeats":1,"n\u006fte":"a"}`,
		},
		"a secret where none may be": {
			partyType, `{"door":"key","guests":[{"code":"4711"}]}`,
			`{"door":"[secret]","guests":[{"code":"[secret]"}]}`, `{"door":"[secret]","guests":[{"code":"[secret]"}]}`,
		},
		"another shape": {
			partyType, `{"guests":"Ann","menu":"soup"}`,
			`{"guests":"[unreadable]","menu":"soup"}`, `{"guests":"[unreadable]","menu":"soup"}`,
		},
		"what was moved does not open": {
			partyType, `{` + h + `,"note":"` + sealed("phone", "hi") + `"}`,
			`{` + h + `,"note":"[personal]"}`, `{` + h + `,"note":"[unreadable]"}`,
		},
		"nobody's": {
			partyType, `{"note":"` + sealed("note", "hi") + `"}`, `{"note":"[personal]"}`, `{"note":"[unreadable]"}`,
		},
		"what was sealed is no JSON": {
			partyType, `{` + h + `,"vegan":"` + sealed("vegan", "perhaps") + `"}`,
			`{` + h + `,"vegan":"[personal]"}`, `{` + h + `,"vegan":"[unreadable]"}`,
		},
		"a field of a newer program": {
			partyType, `{` + h + `,"new":{"a":["` + sealed("new.a.0", "hi") + `","public",1]}}`,
			`{` + h + `,"new":{"a":["[personal]","public",1]}}`, `{` + h + `,"new":{"a":["[personal]","public",1]}}`,
		},
		"a type of a newer program": {
			"test.party.cancelled", `{"by":"` + sealed("by", "hi") + `","why":"rain","s\"x":"\u0073ealed:1:x","sealed:1:k" : 1}`,
			`{"by":"[personal]","why":"rain","s\"x":"[personal]","sealed:1:k" : 1}`, `{"by":"[personal]","why":"rain","s\"x":"[personal]","sealed:1:k" : 1}`,
		},
		"no event at all": {partyType, `[1]`, `"[unreadable]"`, `"[unreadable]"`},
		"cut off":         {partyType, `{"note":"he`, `"[unreadable]"`, `"[unreadable]"`},
		"too much":        {partyType, `{} {}`, `"[unreadable]"`, `"[unreadable]"`},
	} {
		if masked, opened := looked(c.typ, c.data, locked{}); masked != c.masked || opened != c.opened {
			t.Errorf("%s:\nmasked %s, not\n       %s\nopened %s, not\n       %s", what, masked, c.masked, opened, c.opened)
		}
	}
}

// An old schema is shown as it was written.
func TestAnOldSchemaIsShownAsItWas(t *testing.T) {
	c := domain.NewCatalogue([]domain.Type{domain.TypeOf[renamed](domain.From(func(old renamedV1) renamed { return renamed{UserID: old.UserID} }))})
	var m domain.Marks
	c.Find(&m, "test.user.renamed", 1, []byte(`{"user_id":"","name":"Ann","first":"x"}`), false)
	if got := string(m.Masked()); got != `{"user_id":"","name":"[personal]","first":"x"}` {
		t.Error(got)
	}
}

// Whatever is valid stays so, and nothing makes it panic.
func FuzzMarks(f *testing.F) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		f.Fatal(err)
	}
	for _, data := range []string{string(enc.Data), `{"guests":[[{"name":1}]]}`, `{"a":"\\","b":[{},[],"\""]}`, `{"note":"`, `{"guests":[{"seats":`} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		for _, typ := range []string{partyType, "test.party.cancelled"} {
			masked, opened := looked(typ, data, locked{id.ID{}: true})
			if json.Valid([]byte(data)) && !(json.Valid([]byte(masked)) && json.Valid([]byte(opened))) {
				t.Errorf("%q is masked as %q and opened as %q", data, masked, opened)
			}
		}
	})
}
