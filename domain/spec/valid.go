package spec

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gesta/domain"
	"gesta/domain/schema"
)

// Validator answers what holds JSON against a JSON Schema: a document, or the part of one that a fragment names.
func Validator(t testing.TB, document []byte, fragment string) func(text []byte) error {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const here = "http://localhost/document"
	if err := c.AddResource(here, parsed); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(here + fragment)
	if err != nil {
		t.Fatal(err)
	}
	return func(text []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		return s.Validate(value)
	}
}

// checkSchemas holds all examples of an event's type against their schemas, and what is published of the event itself.
func checkSchemas(t *testing.T, c domain.Catalogue, e domain.Event) {
	t.Helper()
	typ := c[e.EventType()]
	enc, err := c.Encode(e, locked{})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= typ.Schema; n++ {
		texts := [][]byte{asPublished(t, schema.Of(typ, n), readGolden(t, goldenPath(e, n)).Data)}
		if n == typ.Schema {
			texts = append(texts, enc.Data)
		}
		valid := Validator(t, schema.Text(typ, n), "")
		for _, text := range texts {
			if err := valid(text); err != nil {
				t.Errorf("%s is not what schema %d says: %v", text, n, err)
			}
		}
	}
}

func asPublished(t *testing.T, s *schema.Schema, data []byte) []byte {
	t.Helper()
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(published(s, value))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// published makes of an example what is published of it: what is personal in it is sealed.
func published(s *schema.Schema, value any) any {
	switch v := value.(type) {
	case string:
		if s.Personal != "" && v != "" {
			return domain.SealedPrefix + v
		}
	case []any:
		for i := range v {
			v[i] = published(s.Items, v[i])
		}
	case map[string]any:
		for name, inside := range s.Properties {
			if _, there := v[name]; there {
				v[name] = published(inside, v[name])
			}
		}
	}
	return value
}

// locked seals so that nothing but the form is as it will be.
type locked struct{}

func (locked) Seal(domain.Place, []byte) (string, error) { return domain.SealedPrefix + "AAAA", nil }
