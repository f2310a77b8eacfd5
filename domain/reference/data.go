// Package reference knows what the world has agreed on: which countries, currencies, languages and time zones there
// are. Nothing of it is an event: it changes when `make reference` writes data.json from newer sources.
package reference

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

//go:embed data.json
var text []byte

// data is all that is known. Each list is sorted by what its items are found by.
type data struct {
	// By the name of the source.
	Sources    map[string]string `json:"sources"`
	Countries  []Country         `json:"countries"`
	Currencies []Currency        `json:"currencies"`
	Languages  []Language        `json:"languages"`
	TimeZones  []TimeZone        `json:"time_zones"`
}

// known is read when it is first asked for: not every command of the binary does.
var known = sync.OnceValue(func() (d data) {
	if err := json.Unmarshal(text, &d); err != nil {
		panic(err) // The tests have read it.
	}
	return d
})

// Sources tells the version of each source.
func Sources() map[string]string { return known().Sources }

// index finds items by their names, in whatever case those are written.
type index[T any] map[string]T

func indexed[T any](items []T, names func(T) []string) index[T] {
	all := index[T]{}
	for _, one := range items {
		for _, name := range names(one) {
			all[fold(name)] = one
		}
	}
	return all
}

func (i index[T]) find(name string, unknown error) (T, error) {
	one, found := i[fold(name)]
	if !found {
		return one, unknown
	}
	return one, nil
}

func fold(s string) string { return strings.ToLower(s) }
