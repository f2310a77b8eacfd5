package envelope

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// ErrMalformed is answered for bytes that are no envelope.
var ErrMalformed = errors.New("envelope: malformed")

// wire is an envelope as JSON spells it.
type wire struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject"`
	Time        *time.Time      `json:"time"`
	DataSchema  string          `json:"dataschema"`
	Position    string          `json:"position"`
	Version     string          `json:"version"`
	Epoch       string          `json:"epoch"`
	RecordedAt  *time.Time      `json:"recordedat"`
	Realm       string          `json:"realm"`
	Actor       string          `json:"actor"`
	Correlation string          `json:"correlation"`
	Causation   string          `json:"causation"`
	Traceparent string          `json:"traceparent"`
	Data        json.RawMessage `json:"data"`
}

// Decode reads what Encode wrote, and the epoch it was published in. The answer equals Published of
// what was encoded: Secret is nil, and Meta is made anew of the published attributes.
func Decode(b []byte) (r eventstore.Recorded, epoch int64, err error) {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return eventstore.Recorded{}, 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	p := parser{}
	r.ID = id.Event{ID: p.id("id", w.ID)}
	r.Stream = p.stream(w.Subject)
	r.Schema = p.schema(w.Type, w.DataSchema)
	r.Position = p.number("position", w.Position)
	r.Version = p.number("version", w.Version)
	epoch = p.number("epoch", w.Epoch)
	r.Meta = publishedMeta(p.meta(w))
	r.Type, r.Data = w.Type, w.Data
	r.OccurredAt = p.instant("time", w.Time)
	r.RecordedAt = p.instant("recordedat", w.RecordedAt)
	if p.check(w); p.err != nil {
		return eventstore.Recorded{}, 0, p.err
	}
	return r, epoch, nil
}

// parser reads attributes and keeps the first error, so that Decode can be read from top to bottom.
type parser struct{ err error }

func (p *parser) refuse(name, value string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s %q", ErrMalformed, name, value)
	}
}

func (p *parser) id(name, value string) id.ID {
	i, err := id.Parse(value)
	if err != nil || i.IsZero() {
		p.refuse(name, value)
	}
	return i
}

func (p *parser) number(name, value string) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 {
		p.refuse(name, value)
	}
	return n
}

func (p *parser) instant(name string, t *time.Time) time.Time {
	if t == nil {
		p.refuse(name, "")
		return time.Time{}
	}
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		p.refuse(name, t.String())
	}
	return t.UTC()
}

func (p *parser) stream(subject string) domain.Stream {
	slash := strings.LastIndexByte(subject, '/')
	if slash < 1 {
		p.refuse("subject", subject)
		return domain.Stream{}
	}
	return domain.Stream{Kind: subject[:slash], ID: p.id("subject", subject[slash+1:])}
}

func (p *parser) schema(typ, dataschema string) int {
	n, ok := strings.CutPrefix(dataschema, domain.SchemaPrefix+typ+"/")
	if !ok || typ == "" {
		p.refuse("dataschema", dataschema)
		return 0
	}
	schema, err := strconv.ParseInt(n, 10, 32)
	if err != nil || schema < 1 {
		p.refuse("dataschema", dataschema)
	}
	return int(schema)
}

func (p *parser) meta(w wire) domain.Meta {
	word, ok := strings.CutPrefix(w.Source, sourcePrefix)
	if !ok || word != token(word) {
		p.refuse("source", w.Source)
	}
	m := domain.Meta{
		Actor: w.Actor, Realm: w.Realm,
		Correlation: w.Correlation, Causation: w.Causation, Traceparent: w.Traceparent,
	}
	if m.Realm == "" {
		m.Realm = realmOf(word)
	}
	return m
}

func (p *parser) check(w wire) {
	if w.SpecVersion != "1.0" {
		p.refuse("specversion", w.SpecVersion)
	}
	if w.Data == nil {
		p.refuse("data", "")
	}
}
