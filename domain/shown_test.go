package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
)

// card is shown with one of everything.
type (
	card struct {
		Name   string      `json:"name,omitempty" privacy:"personal"`
		Nick   *string     `json:"nick" privacy:"personal"`
		Names  []string    `json:"names,omitempty" privacy:"personal:user_id"`
		Tags   []string    `json:"tags" privacy:"public"`
		Detail cardDetails `json:"a~/detail" privacy:"public"`
		Seats  []seat      `json:"seats" privacy:"public"`
		Notes  []cardNote  `json:"notes" privacy:"public"`
		Hidden string      `json:"hidden,omitempty" privacy:"public"`
	}
	cardDetails struct {
		Age  int    `json:"age" privacy:"personal"`
		Size int    `json:"size" privacy:"public"`
		More []byte `json:"more,omitempty" privacy:"personal"`
	}
	cardNote struct {
		Text string `json:"text" privacy:"personal"`
	}
	showing struct{ what any }
)

func (showing) Evolve(domain.Event, time.Time) showing { return showing{} }
func (s showing) Show() any                            { return s.what }

func TestAStateIsShownInClearOrMasked(t *testing.T) {
	nick := `C:\u0000 "[forgotten]`
	for what, c := range map[string]struct {
		shows         any
		clear, masked string
	}{
		"nothing": {nil, `null`, `null`},
		"one of everything": {
			card{Name: "Ann", Nick: &nick, Names: []string{"a"}, Tags: []string{"vip"}, Detail: cardDetails{7, 8, nil}, Seats: []seat{{1}}, Notes: []cardNote{{"x"}}},
			`{"name":"Ann","nick":"C:\\u0000 \"[forgotten]","names":["a"],"tags":["vip"],"a~/detail":{"age":7,"size":8},"seats":[{"row":1}],"notes":[{"text":"x"}]}`,
			`{"name":"[personal]","nick":"[personal]","names":"[personal]","tags":["vip"],"a~/detail":{"age":"[personal]","size":8},"seats":[{"row":1}],"notes":"[personal]"}`,
		},
		"nothing of anything": {
			card{},
			`{"nick":null,"tags":null,"a~/detail":{"age":0,"size":0},"seats":null,"notes":null}`,
			`{"nick":null,"tags":null,"a~/detail":{"age":"[personal]","size":0},"seats":null,"notes":null}`,
		},
		"who was forgotten": {
			card{Name: "[forgotten]\x001", Names: []string{"[unreadable]\x002", "Bob", `[forgotten]\u0000`}, Tags: []string{}},
			`{"name":"[forgotten]","nick":null,"names":["[unreadable]","Bob","[forgotten]\\u0000"],"tags":[],"a~/detail":{"age":0,"size":0},"seats":null,"notes":null}`,
			`{"name":"[forgotten]","nick":null,"names":"[personal]","tags":[],"a~/detail":{"age":"[personal]","size":0},"seats":null,"notes":null}`,
		},
	} {
		for clear, want := range map[bool]string{true: c.clear, false: c.masked} {
			if got, err := domain.ShowState(showing{c.shows}, clear); err != nil || string(got) != want {
				t.Errorf("%s, clear %v: %s, not %s (%v)", what, clear, got, want, err)
			}
		}
	}
}

func TestTheLeavesOfAState(t *testing.T) {
	leaves, err := domain.LeavesOf(showing{card{Name: "Ann", Tags: []string{"a", "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range leaves {
		got = append(got, l.Path+" "+string(l.Value))
	}
	want := []string{`/name "Ann"`, "/nick null", `/tags ["a","b"]`, "/a~0~1detail/age 0", "/a~0~1detail/size 0", "/seats null", "/notes null"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if none, err := domain.LeavesOf(showing{nil}); err != nil || none != nil {
		t.Errorf("%v, %v", none, err)
	}
}

// What does not say how private it is, is not shown.
func TestAStateWhoseFieldsDoNotSayHowPrivateTheyAreIsNotShown(t *testing.T) {
	a := domain.AggregateOf[showing]("test.card")
	for _, wrong := range []any{
		struct {
			Name string `json:"name"`
		}{},
		struct {
			Name string `json:"name" privacy:"secret"`
		}{},
		struct {
			Name string `privacy:"public"`
		}{},
		struct {
			In []struct{ Name string } `json:"in" privacy:"public"`
		}{},
		"text",
		map[string]string{"a": "b"},
	} {
		if text, err := domain.ShowState(showing{wrong}, true); err == nil {
			t.Errorf("%T is shown as %s", wrong, text)
		}
	}
	named := struct {
		Name string `json:"Name" privacy:"public"`
	}{}
	if err := a.CheckShown(showing{named}); err == nil || !strings.Contains(err.Error(), "spelled") {
		t.Error(err)
	}
	if _, err := domain.ShowState(7, true); err == nil {
		t.Error("a number is a state")
	}
}
