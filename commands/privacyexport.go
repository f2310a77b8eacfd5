package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/privacy"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// Exported is all that is kept about a person.
type Exported struct {
	Subject     string           `json:"subject"` // ULID
	SubjectUUID string           `json:"subject_uuid"`
	Streams     []ExportedStream `json:"streams"`
}

// ExportedStream is one that says something about the person.
type ExportedStream struct {
	Stream string          `json:"stream"`
	Events []ExportedEvent `json:"events"`
}

// ExportedEvent is what an event says, but for its secrets, and what it says about others.
type ExportedEvent struct {
	Type       string          `json:"type"`
	Position   string          `json:"position"`
	Version    string          `json:"version"`
	OccurredAt time.Time       `json:"occurred_at"`
	Data       json.RawMessage `json:"data"`
}

// Export answers all that is kept about a person: the streams that hold the person, and those that their events lead
// to. Of a stream that holds others too it shows the events that name the person. It refuses with
// privacy.ErrSubjectUnknown.
func (p *Privacy) Export(ctx context.Context, subject privacy.SubjectID) (x Exported, err error) {
	x = Exported{Subject: subject.String(), SubjectUUID: subject.UUID()}
	var further []domain.Stream
	err = p.each(ctx, subject, func(events []eventstore.Recorded, opened []seal.Opened) error {
		for _, o := range opened {
			for _, follow := range p.Follow {
				further = append(further, follow(o.Event)...)
			}
		}
		return p.export(&x, subject.ID, events, opened)
	})
	if err == nil && len(x.Streams) == 0 {
		err = privacy.ErrSubjectUnknown
	}
	for _, s := range further {
		if err != nil {
			break
		}
		events, opened, failed := p.about(ctx, s, subject)
		if err = unavailable(failed); err == nil {
			err = p.export(&x, subject.ID, events, opened)
		}
	}
	return x, err
}

func (p *Privacy) export(x *Exported, subject id.ID, events []eventstore.Recorded, opened []seal.Opened) error {
	shared := slices.ContainsFunc(opened, func(o seal.Opened) bool {
		return slices.ContainsFunc(o.Subjects, func(s id.ID) bool { return s != subject })
	})
	var s ExportedStream
	for i, r := range events {
		if shared && !bytes.Contains(r.Data, []byte(subject.String())) {
			continue
		}
		data, err := p.Executor.Vault.Catalogue.Show(opened[i].Event)
		if err != nil {
			return err
		}
		s.Stream = r.Stream.String()
		s.Events = append(s.Events, ExportedEvent{
			Type: r.Type, Position: strconv.FormatInt(r.Position, 10), Version: strconv.FormatInt(r.Version, 10),
			OccurredAt: r.OccurredAt, Data: data,
		})
	}
	if len(s.Events) > 0 {
		x.Streams = append(x.Streams, s)
	}
	return nil
}
