package asyncapi_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/spec"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
	"gesta/eventstore/envelope/asyncapi"
)

// UPDATE_GOLDEN=1 writes the golden files anew.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// A shop has one type with two schemas, and one with nothing personal.
type (
	placed1 struct {
		BuyerID id.User `json:"buyer_id" privacy:"public"`
		Cents   int     `json:"cents" privacy:"public"`
	}
	placed struct {
		BuyerID id.User `json:"buyer_id" privacy:"public"`
		Total   int64   `json:"total,string" privacy:"public"`
		Name    string  `json:"name" privacy:"personal:buyer_id"`
	}
	closed struct {
		At time.Time `json:"at" privacy:"public"`
	}
)

func (placed) EventType() string { return "shop.order.placed" }
func (closed) EventType() string { return "shop.day.closed" }

var shop = domain.NewCatalogue([]domain.Type{
	domain.TypeOf[placed](domain.From(func(old placed1) placed { return placed{BuyerID: old.BuyerID, Total: int64(old.Cents)} })),
	domain.TypeOf[closed](),
})

func TestTheDocumentIsAsItWas(t *testing.T) {
	t.Parallel()
	got, file := asyncapi.Document(shop, "1.2.3"), filepath.Join("testdata", "shop.json")
	if update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestTheDocumentIsAsyncAPI(t *testing.T) {
	t.Parallel()
	official, err := os.ReadFile(filepath.Join("testdata", "asyncapi-specs", "3.0.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	valid := spec.Validator(t, official, "")
	text := asyncapi.Document(shop, "1.2.3")
	if err := valid(text); err != nil {
		t.Error(err)
	}
	for was, is := range map[string]string{
		`"action": "send"`:    `"action": "publish"`,
		`"address":`:          `"adress":`,
		`"asyncapi": "3.0.0"`: `"asyncapi": "2.6.0"`,
	} {
		if err := valid(bytes.Replace(text, []byte(was), []byte(is), 1)); err == nil {
			t.Errorf("%s is as good", is)
		}
	}
}

// Each reference leads somewhere.
func TestEveryReferenceIsHeld(t *testing.T) {
	t.Parallel()
	var d any
	if err := json.Unmarshal(asyncapi.Document(shop, "1.2.3"), &d); err != nil {
		t.Fatal(err)
	}
	found := 0
	references(d, func(to string) {
		found++
		if at(d, to) == nil {
			t.Errorf("%s leads nowhere", to)
		}
	})
	if found < 10 {
		t.Errorf("%d are few", found)
	}
}

func references(v any, visit func(string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			references(e, visit)
		}
	case map[string]any:
		for name, e := range v {
			if to, ok := e.(string); ok && name == "$ref" {
				visit(to)
			}
			references(e, visit)
		}
	}
}

func at(v any, pointer string) any {
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// orderPlaced is an order under the given schema, as it is stored.
func orderPlaced(schema int, data string) eventstore.Recorded {
	return eventstore.Recorded{
		NewEvent: eventstore.NewEvent{
			ID: id.Event{ID: id.Named("event")}, Type: "shop.order.placed", Schema: schema, Data: json.RawMessage(data),
			Meta: metadata(domain.Meta{
				Actor: "user/" + id.Named("ann").String(), Realm: "shop/north", Correlation: "c", Causation: "e",
				Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			}),
			OccurredAt: time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC),
		},
		Position: 41, Version: 2, Stream: domain.Stream{Kind: "shop.order", ID: id.Named("order")},
		RecordedAt: time.Date(2026, 3, 4, 5, 6, 8, 0, time.UTC),
	}
}

func metadata(m domain.Meta) json.RawMessage {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // A struct of strings always marshals.
	}
	return text
}

func TestWhatIsPublishedIsWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	valid := spec.Validator(t, asyncapi.Document(shop, ""), "#/components/messages/shop.order.placed/payload")
	buyer := id.Named("ann").String()
	for name, c := range map[string]struct {
		event eventstore.Recorded
		is    bool
	}{
		"as it is said today":        {orderPlaced(2, `{"buyer_id":"`+buyer+`","total":"12","name":"sealed:1:AAAA"}`), true},
		"as it was said":             {orderPlaced(1, `{"buyer_id":"`+buyer+`","cents":12}`), true},
		"with a field more":          {orderPlaced(2, `{"buyer_id":"`+buyer+`","total":"12","name":"sealed:1:AAAA","more":1}`), true},
		"as it was, under the other": {orderPlaced(2, `{"buyer_id":"`+buyer+`","cents":12}`), false},
		"under no schema":            {orderPlaced(3, `{"buyer_id":"`+buyer+`","total":"12","name":"sealed:1:AAAA"}`), false},
		"in clear":                   {orderPlaced(2, `{"buyer_id":"`+buyer+`","total":"12","name":"Ann"}`), false},
		"of nobody":                  {orderPlaced(2, `{"buyer_id":"ann","total":"12","name":"sealed:1:AAAA"}`), false},
		"a number":                   {orderPlaced(2, `{"buyer_id":"`+buyer+`","total":12,"name":"sealed:1:AAAA"}`), false},
	} {
		if err := valid(envelope.Encode(c.event, 1)); (err == nil) != c.is {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever an envelope or a header may hold is described, and what is always there is required.
func TestEnvelopeAndHeadersAreDescribedWhole(t *testing.T) {
	t.Parallel()
	full := orderPlaced(1, `{}`)
	least := full
	least.Meta = json.RawMessage(`{"realm":"shop"}`)
	for schema, c := range map[string]struct{ all, always []string }{
		"envelope": {names(t, envelope.Encode(full, 1)), names(t, envelope.Encode(least, 1))},
		"headers":  {slices.Sorted(maps.Keys(envelope.Headers(full, 1))), slices.Sorted(maps.Keys(envelope.Headers(least, 1)))},
	} {
		var is struct {
			Components struct {
				Schemas map[string]struct {
					Properties map[string]any
					Required   []string
				}
			}
		}
		if err := json.Unmarshal(asyncapi.Document(shop, ""), &is); err != nil {
			t.Fatal(err)
		}
		said := is.Components.Schemas[schema]
		if diff := cmp.Diff(c.all, slices.Sorted(maps.Keys(said.Properties))); diff != "" {
			t.Errorf("%s: %s", schema, diff)
		}
		if diff := cmp.Diff(c.always, slices.Sorted(slices.Values(said.Required))); diff != "" {
			t.Errorf("%s, required: %s", schema, diff)
		}
	}
}

func names(t *testing.T, text []byte) []string {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(o))
}

func TestSubjectsAreThoseOfMessages(t *testing.T) {
	t.Parallel()
	var d any
	if err := json.Unmarshal(asyncapi.Document(shop, ""), &d); err != nil {
		t.Fatal(err)
	}
	address := at(at(d, "#/channels/shop.order.placed"), "address").(string)
	if is := strings.Replace(address, "{realm}", "shop", 1); is != envelope.Subject(orderPlaced(1, `{}`)) {
		t.Errorf("%s", is)
	}
}

// The index leads to every schema, and a schema is where its events say it is.
func TestFilesAreWhereEventsSay(t *testing.T) {
	t.Parallel()
	files := map[string]asyncapi.File{}
	for _, f := range asyncapi.Files(shop, "1.2.3") {
		files[f.Path] = f
	}
	var list struct {
		AsyncAPI string
		Types    []struct {
			Type    string
			Schemas []string
		}
	}
	if err := json.Unmarshal(files["/docs/schemas/"].Body, &list); err != nil {
		t.Fatal(err)
	}
	paths := []string{list.AsyncAPI, "/docs/schemas/"}
	for _, one := range list.Types {
		paths = append(paths, one.Schemas...)
	}
	slices.Sort(paths)
	want := []string{
		"/docs/asyncapi.json", "/docs/schemas/", "/docs/schemas/shop.day.closed/1", "/docs/schemas/shop.order.placed/1", "/docs/schemas/shop.order.placed/2",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Error(diff)
	}
	var event struct{ DataSchema string }
	if err := json.Unmarshal(envelope.Encode(orderPlaced(2, `{}`), 1), &event); err != nil {
		t.Fatal(err)
	}
	if f := files[event.DataSchema]; f.Type != "application/schema+json" || !strings.Contains(string(f.Body), `"$id": "`+event.DataSchema+`"`) {
		t.Errorf("%s holds %s %s", event.DataSchema, f.Type, f.Body)
	}
}
