package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gesta/domain"
	"gesta/domain/schema"
)

// gate keeps what was published readable: the schemas of events are compared with those that are committed in a folder.
// What is compatible is written there anew if it may be, and nothing else ever is.
type gate struct {
	folder string
	update bool
}

// check answers what is wrong, each in a line.
func (g gate) check(types []domain.Type) (wrong []string) {
	for _, t := range types {
		for n := 1; n <= t.Schema; n++ {
			for _, why := range g.compare(fileOf(t.Name, n), schema.Text(t, n)) {
				wrong = append(wrong, fmt.Sprintf("%s schema %d: %s", t.Name, n, why))
			}
		}
	}
	return append(wrong, vanished(g.folder, types)...)
}

func (g gate) compare(file string, is []byte) []string {
	path := filepath.Join(g.folder, file)
	was, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		was = is
	case err != nil:
		return []string{err.Error()}
	}
	if broken := breaks("", object(was), object(is)); len(broken) > 0 {
		return append(broken, "it was published: say it in a new schema, with an upcast of this one")
	}
	if err == nil && bytes.Equal(was, is) {
		return nil
	}
	if !g.update {
		return []string{path + " does not say so yet: make golden writes it"}
	}
	if err := errors.Join(os.MkdirAll(g.folder, 0o755), os.WriteFile(path, is, 0o644)); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func fileOf(typ string, schema int) string { return fmt.Sprintf("%s.%d.json", typ, schema) }

// vanished are the files of a folder that are of no schema any more.
func vanished(folder string, types []domain.Type) (wrong []string) {
	known := map[string]bool{}
	for _, t := range types {
		for n := 1; n <= t.Schema; n++ {
			known[fileOf(t.Name, n)] = true
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []string{err.Error()}
	}
	for _, f := range files {
		if !known[f.Name()] {
			wrong = append(wrong, filepath.Join(folder, f.Name())+" was published, and no type reads it any more")
		}
	}
	return wrong
}

func object(text []byte) (o map[string]any) {
	if err := json.Unmarshal(text, &o); err != nil {
		return map[string]any{"unreadable": err.Error()}
	}
	return o
}
