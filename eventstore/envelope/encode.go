package envelope

import (
	"encoding/json"
	"strconv"
	"time"

	"gesta/domain"
	"gesta/eventstore"
)

// frame is about what an envelope takes besides data, so that most are written without growing.
const frame = 640

// Encode writes the envelope of r, on one line if its data is. The epoch is the one that its
// position belongs to.
//
// The attribute realm is written only where it says more than the source, which holds but its first
// word. Attributes that are empty are left out.
func Encode(r eventstore.Recorded, epoch int64) []byte {
	return encode(r, metaOf(r), epoch)
}

func encode(r eventstore.Recorded, m domain.Meta, epoch int64) []byte {
	b := make([]byte, 0, frame+len(r.Data))
	b = append(b, `{"specversion":"1.0"`...)
	b = attribute(b, "id", r.ID.String())
	b = attribute(b, "source", sourcePrefix+word(m.Realm))
	b = attribute(b, "type", r.Type)
	b = attribute(b, "subject", r.Stream.String())
	b = instant(b, "time", r.OccurredAt)
	b = attribute(b, "datacontenttype", "application/json")
	b = attribute(b, "dataschema", domain.SchemaPrefix+r.Type+"/"+strconv.Itoa(r.Schema))
	b = number(b, "position", r.Position)
	b = number(b, "version", r.Version)
	b = number(b, "epoch", epoch)
	b = instant(b, "recordedat", r.RecordedAt)
	b = cause(b, m)
	b = append(b, `,"data":`...)
	b = append(b, r.Data...)
	return append(b, '}')
}

// cause says who and what an event came from.
func cause(b []byte, m domain.Meta) []byte {
	if m.Realm != realmOf(word(m.Realm)) {
		b = attribute(b, "realm", m.Realm)
	}
	b = optional(b, "actor", m.Actor)
	b = optional(b, "correlation", m.Correlation)
	b = optional(b, "causation", m.Causation)
	return optional(b, "traceparent", m.Traceparent)
}

func optional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return attribute(b, name, value)
}

func attribute(b []byte, name, value string) []byte {
	return quoted(named(b, name), value)
}

// number spells n as a string: the integers of CloudEvents end at 2³¹.
func number(b []byte, name string, n int64) []byte {
	b = append(named(b, name), '"')
	b = strconv.AppendInt(b, n, 10)
	return append(b, '"')
}

func instant(b []byte, name string, t time.Time) []byte {
	b = append(named(b, name), '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

func named(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// quoted writes s as a JSON string. Nearly all are plain; the others are left to encoding/json.
func quoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			q, err := json.Marshal(s)
			if err != nil {
				panic(err) // A string always marshals.
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
