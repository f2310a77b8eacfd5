package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
)

// UPDATE_GOLDEN=1 writes the golden files anew.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// Examples checks one event of each type of a context against testdata/events, where each schema has a
// file: what was ever written is read for ever, and the current schema is still written so. UPDATE_GOLDEN
// adds files that are missing and changes none. They show values before they are sealed: so may old ones have been
// written. That every field says how private it is was checked when the type was listed.
//
// Beside them, in testdata/schemas, is the JSON Schema of each: what was published keeps its form. UPDATE_GOLDEN writes
// those that are new, or have got a field that may be left out, and no other change. Each example is what its schema says.
func Examples(t *testing.T, types []domain.Type, examples []domain.Event) {
	t.Helper()
	if len(examples) != len(types) {
		t.Errorf("%d examples of %d types", len(examples), len(types))
	}
	catalogue := domain.NewCatalogue(types)
	for _, e := range examples {
		checkGolden(t, catalogue, e)
	}
	for _, typ := range types {
		checkType(t, typ)
	}
	for _, wrong := range append(gate{schemasFolder, update}.check(types), vanished(examplesFolder, types)...) {
		t.Error(wrong)
	}
}

// Where a context keeps what was ever written.
var examplesFolder, schemasFolder = filepath.Join("testdata", "events"), filepath.Join("testdata", "schemas")

// Aggregates checks that whatever is said of a stream can be folded: the context.aggregate of each type
// is the kind of an aggregate. It checks as well how states are shown, whatever was said of them: each field says how
// private it is, what is personal is masked, and nothing secret is there.
func Aggregates(t *testing.T, types []domain.Type, aggregates []domain.Aggregate) {
	t.Helper()
	all := domain.NewAggregates(aggregates)
	for _, typ := range types {
		kind := typ.Name[:strings.LastIndex(typ.Name, ".")]
		if _, ok := all[kind]; !ok {
			t.Errorf("%s is of no aggregate", typ.Name)
		}
	}
	for _, a := range aggregates {
		checkShown(t, types, a)
	}
}

// golden is an event as it is kept.
type golden struct {
	Data   json.RawMessage `json:"data"`
	Secret json.RawMessage `json:"secret,omitempty"`
}

func checkGolden(t *testing.T, c domain.Catalogue, e domain.Event) {
	t.Helper()
	enc, err := c.Encode(e, Clear{})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < enc.Schema; n++ {
		g := readGolden(t, goldenPath(e, n))
		if _, err := c.Decode(enc.Type, n, g.Data, g.Secret, Clear{}); err != nil {
			t.Error(err)
		}
	}
	path := goldenPath(e, enc.Schema)
	if _, err := os.Stat(path); update && os.IsNotExist(err) {
		writeGolden(t, path, golden{enc.Data, enc.Secret})
	}
	g := readGolden(t, path)
	got, err := c.Decode(enc.Type, enc.Schema, g.Data, g.Secret, Clear{})
	if diff := cmp.Diff(e, got); err != nil || diff != "" {
		t.Errorf("%s is read as something else: %v (-want +got)\n%s", path, err, diff)
	}
	if !bytes.Equal(enc.Data, g.Data) || !bytes.Equal(enc.Secret, g.Secret) {
		t.Errorf("%s is written as %s %s without a new schema", path, enc.Data, enc.Secret)
	}
	checkSchemas(t, c, e)
}

func goldenPath(e domain.Event, n int) string {
	return filepath.Join(examplesFolder, fileOf(e.EventType(), n))
}

func writeGolden(t *testing.T, path string, g golden) {
	t.Helper()
	text, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readGolden(t *testing.T, path string) (g golden) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var tight bytes.Buffer
	if err := json.Compact(&tight, text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(tight.Bytes(), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

var typeName = regexp.MustCompile(`^[a-z]+\.[a-z_]+\.[a-z_]+$`)

// checkType finds names that no subject could be made of.
func checkType(t *testing.T, typ domain.Type) {
	t.Helper()
	if !typeName.MatchString(typ.Name) {
		t.Errorf("%s is no context.aggregate.fact", typ.Name)
	}
}

// Clear is a domain.Sealer and Opener for specs: it leaves fields as they are before they are sealed.
type Clear struct{}

// Seal answers text itself, and anything else as JSON.
func (Clear) Seal(_ domain.Place, value []byte) (string, error) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text, nil
	}
	return string(value), nil
}

// Open is not asked for what is clear.
func (Clear) Open(domain.Place, string) ([]byte, error) {
	return nil, errors.New("it is not clear")
}
