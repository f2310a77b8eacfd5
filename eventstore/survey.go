package eventstore

import (
	"context"

	"gesta/domain"
	"gesta/domain/id"
)

// Survey is several questions at once, which are answered in this order.
type Survey struct {
	Tails    []Tail
	Scopes   []Hash
	Subjects []id.ID
}

// Tail asks what ReadStream does.
type Tail struct {
	Stream domain.Stream
	After  int64
	Limit  int
}

// Surveyed answers each question in its place.
type Surveyed struct {
	Tails   [][]Recorded
	Holders [][]domain.Stream
	Keys    []SubjectKey // of those of the subjects that have, or had, one
}

// Surveyor is a store that answers a survey in one round trip.
type Surveyor interface {
	Survey(context.Context, Survey) (Surveyed, error)
}

// Ask has a store answer a survey, with one question after the other where it is no Surveyor.
func (q Survey) Ask(ctx context.Context, s Store) (a Surveyed, err error) {
	if at, once := s.(Surveyor); once {
		return at.Survey(ctx, q)
	}
	for _, t := range q.Tails {
		events, err := s.ReadStream(ctx, t.Stream, t.After, t.Limit)
		if err != nil {
			return a, err
		}
		a.Tails = append(a.Tails, events)
	}
	for _, scope := range q.Scopes {
		holders, err := s.Holders(ctx, scope)
		if err != nil {
			return a, err
		}
		a.Holders = append(a.Holders, holders)
	}
	if len(q.Subjects) > 0 {
		a.Keys, err = s.Keys(ctx, q.Subjects)
	}
	return a, err
}
