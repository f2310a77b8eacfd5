// Package audit is what is known of auditors: who has read which part of the history, and who was given what is kept
// about somebody.
package audit

import (
	"slices"
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// Part is a part of the history that somebody can read.
type Part string

// The parts there are.
const (
	Events   Part = "events"
	Tail     Part = "tail" // events as they come
	Export   Part = "export"
	Stream   Part = "stream"
	State    Part = "state"
	Diff     Part = "diff"
	Actor    Part = "actor"
	Request  Part = "request"
	Summary  Part = "summary"
	Evidence Part = "proof"
)

// HistoryRead says that somebody reads a part of the history: the first time in a minute of one session.
type HistoryRead struct {
	ReaderID  id.User    `json:"reader_id" privacy:"public"`
	SessionID id.Session `json:"session_id" privacy:"public"`
	Part      Part       `json:"part" privacy:"public"`     // as in events, stream or export; there may be more
	InClear   bool       `json:"in_clear" privacy:"public"` // whether the reader sees what is personal
}

func (HistoryRead) EventType() string { return "audit.history.read" }

// Readings are what one reader has read lately.
type Readings struct {
	ID     id.User
	Latest []Reading // of the latest minute
}

// Reading is a part of the history, read under a session in a minute.
type Reading struct {
	Session id.Session
	Part    Part
	InClear bool
	Minute  time.Time
}

// HistoryStream is where the facts about what somebody has read are.
func HistoryStream(reader id.User) domain.Stream {
	return domain.Stream{Kind: "audit.history", ID: reader.ID}
}

// Evolve is what each fact means for the reader.
func (r Readings) Evolve(e domain.Event, at time.Time) Readings {
	if e, is := e.(HistoryRead); is {
		now := Reading{e.SessionID, e.Part, e.InClear, at.UTC().Truncate(time.Minute)}
		r.ID = e.ReaderID
		r.Latest = append(slices.DeleteFunc(slices.Clone(r.Latest), func(was Reading) bool { return was.Minute.Before(now.Minute) }), now)
	}
	return r
}

// ReadHistory says who reads what, and when.
type ReadHistory struct {
	Reader  id.User
	Session id.Session
	Part    Part
	InClear bool
	At      time.Time
}

func (c ReadHistory) Target() domain.Stream { return HistoryStream(c.Reader) }

// Decide notes the first time in a minute.
func (c ReadHistory) Decide(r Readings) ([]domain.Event, error) {
	if slices.Contains(r.Latest, Reading{c.Session, c.Part, c.InClear, c.At.UTC().Truncate(time.Minute)}) {
		return nil, nil
	}
	return []domain.Event{HistoryRead{c.Reader, c.Session, c.Part, c.InClear}}, nil
}
