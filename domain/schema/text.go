package schema

import (
	"bytes"
	"encoding/json"

	"gesta/domain"
)

// Text is the schema as it is served, and as it was committed.
func Text(t domain.Type, schema int) []byte { return Indent(Of(t, schema)) }

// Indent writes a document that people read as well. What is no JSON panics: documents are made by the program.
func Indent(document any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		panic(err)
	}
	return out.Bytes()
}
