package audit

import (
	"time"

	"gesta/domain/id"
)

// What states are shown as, to those who look at what they were.
type (
	// ShownReadings are what one reader has read in the latest minute in which he has read anything.
	ShownReadings struct {
		ReaderID id.User        `json:"reader_id" privacy:"public"`
		Latest   []ShownReading `json:"latest" privacy:"public"`
	}
	// ShownReading is a part of the history that was read under a session.
	ShownReading struct {
		SessionID id.Session `json:"session_id" privacy:"public"`
		// As in events, stream or export.
		Part Part `json:"part" privacy:"public"`
		// Whether the reader saw what is personal.
		InClear bool `json:"in_clear" privacy:"public"`
		// When that minute began.
		Minute time.Time `json:"minute" privacy:"public"`
	}
	// ShownSubject is how often what is kept about a person was given to somebody.
	ShownSubject struct {
		SubjectID id.Subject `json:"subject_id" privacy:"public"`
		Exports   int        `json:"exports" privacy:"public"`
		KeysGiven int        `json:"keys_given" privacy:"public"`
	}
)

// Show is what was read, if anything was.
func (r Readings) Show() any {
	if r.ID.IsZero() {
		return nil
	}
	latest := make([]ShownReading, len(r.Latest))
	for i, one := range r.Latest {
		latest[i] = ShownReading{SessionID: one.Session, Part: one.Part, InClear: one.InClear, Minute: one.Minute}
	}
	return ShownReadings{ReaderID: r.ID, Latest: latest}
}

// Show is what was given, if anything was.
func (s Subject) Show() any {
	if s.ID.IsZero() {
		return nil
	}
	return ShownSubject{SubjectID: s.ID, Exports: s.Exports, KeysGiven: s.KeysGiven}
}
