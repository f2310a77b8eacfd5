package commands

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
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

// Forgetting says that a person was forgotten, and where. It holds nothing personal.
type Forgetting struct {
	Subject        string           `json:"subject"` // ULID
	SubjectUUID    string           `json:"subject_uuid"`
	ForgottenAt    time.Time        `json:"forgotten_at"`
	HoldsFrom      time.Time        `json:"holds_everywhere_from"` // when no process remembers a key any more
	Events         []ForgettingFact `json:"events"`
	LinkedSubjects []string         `json:"linked_subjects"` // others whom the same streams hold: who may be the same person elsewhere
}

// ForgettingFact is one privacy.subject.forgotten. Numbers are text, as in the events' published form.
type ForgettingFact struct {
	Stream   string `json:"stream"`
	Version  string `json:"version"`
	Position string `json:"position"`
	Event    string `json:"event"`
}

// SignedForgetting is a receipt: Signature is Ed25519 of the bytes of Receipt without spaces between its parts.
type SignedForgetting struct {
	Receipt   json.RawMessage `json:"receipt"`
	PublicKey string          `json:"public_key"` // base64
	Signature string          `json:"signature"`  // base64
}

// ErrReceipt refuses a receipt that this store has not signed, or that was changed.
var ErrReceipt = &domain.Fault{Kind: domain.Invalid, Code: "invalid_receipt", Text: "this receipt is not signed by this store, or was changed"}

func signed(key ed25519.PrivateKey, f Forgetting) (s SignedForgetting, err error) {
	if s.Receipt, err = json.Marshal(f); err != nil {
		return s, err
	}
	s.PublicKey = base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	s.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, s.Receipt))
	return s, nil
}

// Verify reads a receipt that was signed with the key.
func (s SignedForgetting) Verify(key ed25519.PublicKey) (f Forgetting, err error) {
	var tight bytes.Buffer
	signature, err := base64.StdEncoding.DecodeString(s.Signature)
	if err != nil || json.Compact(&tight, s.Receipt) != nil || !ed25519.Verify(key, tight.Bytes(), signature) {
		return f, ErrReceipt
	}
	if json.Unmarshal(s.Receipt, &f) != nil {
		return f, ErrReceipt
	}
	return f, nil
}

// Reapply forgets somebody again whom a receipt says to be forgotten: after a backup from before that was restored, or
// one of the keys. It refuses with ErrReceipt, and as Forget does.
func (p *Privacy) Reapply(ctx context.Context, receipt SignedForgetting) (SignedForgetting, error) {
	f, err := receipt.Verify(p.Executor.Vault.Keys.Receipts().Public().(ed25519.PublicKey))
	if err != nil {
		return SignedForgetting{}, err
	}
	subject, err := id.Parse(f.Subject)
	if err != nil {
		return SignedForgetting{}, ErrReceipt
	}
	return p.Forget(ctx, privacy.SubjectID{ID: subject})
}

// receipt reads from the history where a person was forgotten, so that it is the same each time it is asked for.
func (p *Privacy) receipt(ctx context.Context, subject privacy.SubjectID) (s SignedForgetting, err error) {
	f := Forgetting{Subject: subject.String(), SubjectUUID: subject.UUID(), Events: []ForgettingFact{}, LinkedSubjects: []string{}}
	err = p.each(ctx, subject, func(r eventstore.Recorded, o seal.Opened) error {
		for _, other := range o.Subjects {
			if name := other.String(); other != subject.ID && !slices.Contains(f.LinkedSubjects, name) {
				f.LinkedSubjects = append(f.LinkedSubjects, name)
			}
		}
		if who, is := o.Event.(domain.Forgetter); is && who.Forgets() == subject.ID {
			f.add(r)
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	slices.Sort(f.LinkedSubjects)
	return signed(p.Executor.Vault.Keys.Receipts(), f)
}

func (f *Forgetting) add(r eventstore.Recorded) {
	f.Events = append(f.Events, ForgettingFact{
		Stream: r.Stream.String(), Version: strconv.FormatInt(r.Version, 10),
		Position: strconv.FormatInt(r.Position, 10), Event: r.ID.String(),
	})
	if r.RecordedAt.After(f.ForgottenAt) {
		f.ForgottenAt, f.HoldsFrom = r.RecordedAt, r.RecordedAt.Add(seal.MaxAge)
	}
}

// each visits all events of the streams that hold a person, and of the person's own, with what is about that person
// alone opened, and no secrets.
func (p *Privacy) each(ctx context.Context, subject privacy.SubjectID, visit func(eventstore.Recorded, seal.Opened) error) error {
	streams, err := p.Executor.Store.StreamsOf(ctx, subject.ID)
	if err != nil {
		return unavailable(err)
	}
	if own := privacy.SubjectStream(subject); !slices.Contains(streams, own) {
		streams = append(streams, own)
	}
	for _, s := range streams {
		if err := p.eachOf(ctx, s, subject, visit); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

func (p *Privacy) eachOf(ctx context.Context, s domain.Stream, subject privacy.SubjectID, visit func(eventstore.Recorded, seal.Opened) error) error {
	for version := int64(0); ; {
		events, err := p.Executor.Store.ReadStream(ctx, s, version, page)
		if err != nil {
			return err
		}
		for i := range events {
			events[i].Secret = nil
		}
		opened, err := p.Executor.Vault.DecodeOnly(ctx, subject.ID, events...)
		if err != nil {
			return err
		}
		for i, r := range events {
			if opened[i].Err != nil {
				return opened[i].Err
			}
			if err := visit(r, opened[i]); err != nil {
				return err
			}
			version = r.Version
		}
		if len(events) < page {
			return nil
		}
	}
}

// Exported is all that is kept about a person.
type Exported struct {
	Subject     string           `json:"subject"` // ULID
	SubjectUUID string           `json:"subject_uuid"`
	Streams     []ExportedStream `json:"streams"`
}

// ExportedStream is one that holds the person.
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

// Export answers all that is kept about a person, in the order of streams. It refuses with privacy.ErrSubjectUnknown.
func (p *Privacy) Export(ctx context.Context, subject privacy.SubjectID) (x Exported, err error) {
	x = Exported{Subject: subject.String(), SubjectUUID: subject.UUID()}
	err = p.each(ctx, subject, func(r eventstore.Recorded, o seal.Opened) error {
		data, err := p.Executor.Vault.Catalogue.Show(o.Event)
		if err != nil {
			return err
		}
		if n := len(x.Streams); n == 0 || x.Streams[n-1].Stream != r.Stream.String() {
			x.Streams = append(x.Streams, ExportedStream{Stream: r.Stream.String()})
		}
		s := &x.Streams[len(x.Streams)-1]
		s.Events = append(s.Events, ExportedEvent{
			Type: r.Type, Position: strconv.FormatInt(r.Position, 10), Version: strconv.FormatInt(r.Version, 10),
			OccurredAt: r.OccurredAt, Data: data,
		})
		return nil
	})
	if err == nil && len(x.Streams) == 0 {
		err = privacy.ErrSubjectUnknown
	}
	return x, err
}
