package schema_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/schema"
)

type (
	word  string
	coded struct{}
	// everything has a field of each kind.
	everything struct {
		OwnerID id.User         `json:"owner_id" privacy:"public"`
		Word    word            `json:"word" privacy:"public"`
		Truth   bool            `json:"truth" privacy:"public"`
		Whole   int64           `json:"whole" privacy:"public"`
		Count   uint            `json:"count" privacy:"public"`
		Part    float64         `json:"part" privacy:"public"`
		Quoted  int64           `json:"quoted,string" privacy:"public"`
		Bytes   []byte          `json:"bytes" privacy:"public"`
		At      time.Time       `json:"at" privacy:"public"`
		Perhaps *time.Time      `json:"perhaps" privacy:"public"`
		Later   *time.Time      `json:"later,omitempty" privacy:"public"`
		Coded   coded           `json:"coded" privacy:"public"`
		Any     json.RawMessage `json:"any" privacy:"public"`
		Pair    [2]id.User      `json:"pair" privacy:"public"`
		Words   []word          `json:"words,omitempty" privacy:"public"`
		Prices  map[string]int  `json:"prices" privacy:"public"`
		Guests  []guest         `json:"guests" privacy:"public"`
		Host    *guest          `json:"host,omitempty" privacy:"public"`
		Age     int             `json:"age,omitempty" privacy:"personal:owner_id"`
		Hash    []byte          `json:"hash" privacy:"secret"`
		Hidden  hidden          `json:"hidden" privacy:"public"`
	}
	guest struct {
		Name string `json:"name" privacy:"personal:owner_id"`
		Code string `json:"code" privacy:"secret:owner_id"`
	}
	hidden struct {
		Code string `json:"code" privacy:"secret"`
	}
	before struct {
		Owner string `json:"owner" privacy:"public"`
	}
)

func (coded) MarshalText() ([]byte, error) { return nil, nil }
func (everything) EventType() string       { return "test.thing.said_all" }

var thing = domain.TypeOf[everything](domain.From(func(before) everything { return everything{} }))

const (
	ulid   = `{"type":"string","pattern":"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"}`
	sealed = `{"type":"string","pattern":"^(sealed:1:.+)?$","x-gesta-personal":"owner_id","description":"Personal data of the person ` +
		`whom owner_id names, sealed: ask the API for it by that id. Once the person is forgotten, nobody can open it."}`
	guests = `{"name":` + sealed + `},"required":["name"]`
)

func TestEveryKindOfFieldIsDescribed(t *testing.T) {
	t.Parallel()
	got := map[string]any{}
	for name, s := range schema.Of(thing, 2).Properties {
		got[name] = said(t, schema.Indent(s))
	}
	want := map[string]any{}
	for name, s := range map[string]string{
		"owner_id": ulid,
		"word":     `{"type":"string"}`,
		"truth":    `{"type":"boolean"}`,
		"whole":    `{"type":"integer"}`,
		"count":    `{"type":"integer","minimum":0}`,
		"part":     `{"type":"number"}`,
		"quoted":   `{"type":"string","pattern":"^-?[0-9]+$"}`,
		"bytes":    `{"type":["string","null"],"contentEncoding":"base64"}`,
		"at":       `{"type":"string","format":"date-time"}`,
		"perhaps":  `{"type":["string","null"],"format":"date-time"}`,
		"later":    `{"type":"string","format":"date-time"}`,
		"coded":    `{"type":"string"}`,
		"any":      `{}`,
		"pair":     `{"type":"array","minItems":2,"maxItems":2,"items":` + ulid + `}`,
		"words":    `{"type":"array","items":{"type":"string"}}`,
		"prices":   `{"type":["object","null"],"additionalProperties":{"type":"integer"}}`,
		"guests":   `{"type":["array","null"],"items":{"type":"object","properties":` + guests + `}}`,
		"host":     `{"type":"object","properties":` + guests + `}`,
		"age":      sealed,
	} {
		want[name] = said(t, []byte(s))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsAlwaysThereIsRequired(t *testing.T) {
	t.Parallel()
	want := []string{
		"owner_id", "word", "truth", "whole", "count", "part", "quoted", "bytes", "at", "perhaps", "coded", "any", "pair",
		"prices", "guests",
	}
	if diff := cmp.Diff(want, schema.Of(thing, 2).Required); diff != "" {
		t.Error(diff)
	}
}

func TestEachSchemaIsThatOfItsStruct(t *testing.T) {
	t.Parallel()
	want := said(t, []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"/docs/schemas/test.thing.said_all/1",
		"title":"TestThingSaidAll","type":"object","properties":{"owner":{"type":"string"}},"required":["owner"]}`))
	if diff := cmp.Diff(want, said(t, schema.Text(thing, 1))); diff != "" {
		t.Error(diff)
	}
	if now := schema.Of(thing, 2); now.Title != "TestThingSaidAll2" || now.ID != domain.SchemaPath("test.thing.said_all", 2) {
		t.Errorf("%s %s", now.Title, now.ID)
	}
}

// What spells itself as JSON of any kind must be described by hand.
func TestWhatNobodyDescribesIsAMistake(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("it is described")
		}
	}()
	schema.Of(domain.TypeOf[odd](), 1)
}

type (
	odd struct {
		Number mine `json:"number" privacy:"public"`
	}
	mine int
)

func (mine) MarshalJSON() ([]byte, error) { return []byte(`[]`), nil }
func (odd) EventType() string             { return "test.thing.odd" }

func said(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
