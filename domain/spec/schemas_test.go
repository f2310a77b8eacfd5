package spec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// placed is an order as it was published first; the others are what somebody may make of it.
type (
	placed struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
		Token   string  `json:"token" privacy:"secret"`
	}
	line struct {
		Product string `json:"product" privacy:"public"`
		Count   int    `json:"count" privacy:"public"`
	}
	withoutSecret struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	withOptional struct {
		OrderID id.User    `json:"order_id" privacy:"public"`
		Number  int        `json:"number" privacy:"public"`
		Note    string     `json:"note,omitempty" privacy:"public"`
		Name    string     `json:"name" privacy:"personal:order_id"`
		Lines   []longLine `json:"lines" privacy:"public"`
		At      *time.Time `json:"at,omitempty" privacy:"public"`
	}
	longLine struct {
		Product string `json:"product" privacy:"public"`
		Count   int    `json:"count" privacy:"public"`
		Gift    bool   `json:"gift,omitempty" privacy:"public"`
	}
	withRequired struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
		Paid    bool    `json:"paid" privacy:"public"`
	}
	withoutNumber struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	renamed struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number" privacy:"public"`
		Note    string  `json:"remark,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	retyped struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number,string" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	hardened struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number" privacy:"public"`
		Note    string  `json:"note" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	softened struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number,omitempty" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	opened struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"public"`
		Name    string  `json:"name" privacy:"public"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	closed struct {
		OrderID id.User `json:"order_id" privacy:"public"`
		Number  int     `json:"number" privacy:"public"`
		Note    string  `json:"note,omitempty" privacy:"personal:order_id"`
		Name    string  `json:"name" privacy:"personal:order_id"`
		Lines   []line  `json:"lines" privacy:"public"`
	}
	brokenInside struct {
		OrderID id.User     `json:"order_id" privacy:"public"`
		Number  int         `json:"number" privacy:"public"`
		Note    string      `json:"note,omitempty" privacy:"public"`
		Name    string      `json:"name" privacy:"personal:order_id"`
		Lines   []shortLine `json:"lines" privacy:"public"`
	}
	shortLine struct {
		Product string `json:"product" privacy:"public"`
	}
	another struct {
		OrderID id.User `json:"order_id" privacy:"public"`
	}
)

const orderPlaced = "shop.order.placed"

func (placed) EventType() string        { return orderPlaced }
func (withoutSecret) EventType() string { return orderPlaced }
func (withOptional) EventType() string  { return orderPlaced }
func (withRequired) EventType() string  { return orderPlaced }
func (withoutNumber) EventType() string { return orderPlaced }
func (renamed) EventType() string       { return orderPlaced }
func (retyped) EventType() string       { return orderPlaced }
func (hardened) EventType() string      { return orderPlaced }
func (softened) EventType() string      { return orderPlaced }
func (opened) EventType() string        { return orderPlaced }
func (closed) EventType() string        { return orderPlaced }
func (brokenInside) EventType() string  { return orderPlaced }
func (another) EventType() string       { return "shop.order.cancelled" }

// committed is a folder in which the first schema of an order stands.
func committed(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "schemas")
	g := gate{folder: folder}
	if wrong := g.check([]domain.Type{domain.TypeOf[placed]()}); len(wrong) != 1 || !strings.Contains(wrong[0], "make golden") {
		t.Fatalf("nothing is committed yet, and said is %q", wrong)
	}
	g.update = true
	if wrong := g.check([]domain.Type{domain.TypeOf[placed]()}); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	return folder
}

func textOf(t *testing.T, folder string, schema int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, fileOf(orderPlaced, schema)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheGateRefusesWhatBreaksConsumers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		is   domain.Type
		says string
	}{
		"a field is gone":                 {domain.TypeOf[withoutNumber](), "number is gone"},
		"a field has another name":        {domain.TypeOf[renamed](), "note is gone"},
		"a field is of another type":      {domain.TypeOf[retyped](), "number: type was integer and is string"},
		"a field is always there now":     {domain.TypeOf[hardened](), "note must be there now"},
		"a field may be left out now":     {domain.TypeOf[softened](), "number may be left out now"},
		"a new field is always there":     {domain.TypeOf[withRequired](), "paid must be there now"},
		"what was personal is public":     {domain.TypeOf[opened](), "name: x-gesta-personal was order_id and is <nil>"},
		"what was public is personal":     {domain.TypeOf[closed](), "note: x-gesta-personal was <nil> and is order_id"},
		"a field of a struct inside goes": {domain.TypeOf[brokenInside](), "lines.items.count is gone"},
		"the type is gone":                {domain.TypeOf[another](), "no type reads it any more"},
		"the old schema is another's":     {domain.TypeOf[withoutNumber](domain.From(func(renamed) withoutNumber { return withoutNumber{} })), "schema 1: note is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := committed(t)
			before := textOf(t, folder, 1)
			for _, update := range []bool{false, true} {
				wrong := gate{folder, update}.check([]domain.Type{c.is})
				if !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, c.says) }) {
					t.Errorf("updating %t: %q", update, wrong)
				}
			}
			if textOf(t, folder, 1) != before {
				t.Error("what was committed was written over")
			}
		})
	}
}

func TestTheGateLetsTheRestPass(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]domain.Type{
		"fields that may be left out": domain.TypeOf[withOptional](),
		"a new schema": domain.TypeOf[withoutNumber](domain.From(func(old placed) withoutNumber {
			return withoutNumber{OrderID: old.OrderID, Note: old.Note, Name: old.Name, Lines: old.Lines}
		})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := committed(t)
			wrong := gate{folder: folder}.check([]domain.Type{is})
			if len(wrong) != 1 || !strings.Contains(wrong[0], "make golden") {
				t.Errorf("before it is written: %q", wrong)
			}
			if wrong := (gate{folder, true}).check([]domain.Type{is}); len(wrong) > 0 {
				t.Error(wrong)
			}
			if wrong := (gate{folder: folder}).check([]domain.Type{is}); len(wrong) > 0 {
				t.Errorf("once it is written: %q", wrong)
			}
		})
	}
	// Secrets are nobody's business.
	if wrong := (gate{folder: committed(t)}).check([]domain.Type{domain.TypeOf[withoutSecret]()}); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// What was allowed once is held from then on, and words for people may change.
func TestTheGateHoldsWhatWasAddedAndNotWords(t *testing.T) {
	t.Parallel()
	folder := committed(t)
	g := gate{folder, true}
	if wrong := g.check([]domain.Type{domain.TypeOf[withOptional]()}); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	if wrong := g.check([]domain.Type{domain.TypeOf[placed]()}); !strings.Contains(strings.Join(wrong, "\n"), "at is gone") {
		t.Errorf("%q", wrong)
	}
	path := filepath.Join(folder, fileOf(orderPlaced, 1))
	other := strings.Replace(textOf(t, folder, 1), `"title": "ShopOrderPlaced"`, `"title": "Other", "description": "words"`, 1)
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if wrong := g.check([]domain.Type{domain.TypeOf[withOptional]()}); len(wrong) > 0 || textOf(t, folder, 1) == other {
		t.Errorf("%q", wrong)
	}
}

func TestTheGateRefusesAFileThatIsNone(t *testing.T) {
	t.Parallel()
	folder := committed(t)
	if err := os.WriteFile(filepath.Join(folder, fileOf(orderPlaced, 1)), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if wrong := (gate{folder, true}).check([]domain.Type{domain.TypeOf[placed]()}); len(wrong) == 0 {
		t.Error("it is taken")
	}
}

// An example whose type is gone can't be read, though nothing else is wrong.
func TestExamplesOfNoTypeAreFound(t *testing.T) {
	t.Parallel()
	folder := committed(t)
	for found, types := range map[int][]domain.Type{
		0: {domain.TypeOf[placed]()},
		1: {domain.TypeOf[another]()},
	} {
		if wrong := vanished(folder, types); len(wrong) != found {
			t.Errorf("%q", wrong)
		}
	}
}
