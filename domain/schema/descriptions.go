package schema

import (
	_ "embed"
	"encoding/json"
	"reflect"
)

//go:embed descriptions.json
var descriptionsFile []byte

// descriptions are the comments of events and their fields, which no binary holds: `make golden` writes the file from
// the source. A struct goes by package.Name, its field by package.Name.Field.
var descriptions = read(descriptionsFile)

func read(text []byte) (all map[string]string) {
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err) // It is part of the program.
	}
	return all
}

// about is what the source says about a struct, or a field of it.
func about(t reflect.Type, field string) string {
	key := t.PkgPath() + "." + t.Name()
	if field != "" {
		key += "." + field
	}
	return descriptions[key]
}
