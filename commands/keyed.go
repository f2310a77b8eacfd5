package commands

import (
	"gesta/domain"
	"gesta/domain/id"
)

// Made is what a request led to that was made under a key: the streams that its append wrote.
type Made struct{ Streams []domain.Stream }

// ID is the id of the first stream of a kind; zero if there is none.
func (m Made) ID(kind string) id.ID {
	for _, s := range m.Streams {
		if s.Kind == kind {
			return s.ID
		}
	}
	return id.ID{}
}
