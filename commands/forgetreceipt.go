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
	linked := map[id.ID]bool{subject.ID: true}
	err = p.each(ctx, subject, func(events []eventstore.Recorded, opened []seal.Opened) error {
		forgotten := false // Who comes later is not linked by this stream.
		for i, r := range events {
			if who, is := opened[i].Event.(domain.Forgetter); is && who.Forgets() == subject.ID {
				f.add(r)
				forgotten = true
			}
			for _, other := range opened[i].Subjects {
				if !forgotten && !linked[other] {
					linked[other] = true
					f.LinkedSubjects = append(f.LinkedSubjects, other.String())
				}
			}
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

// each visits the streams that hold a person, and the person's own, each with all its events: what is about that person
// alone is opened, and no secrets.
func (p *Privacy) each(ctx context.Context, subject privacy.SubjectID, visit func([]eventstore.Recorded, []seal.Opened) error) error {
	streams, err := p.Executor.Store.StreamsOf(ctx, subject.ID)
	if err != nil {
		return unavailable(err)
	}
	if own := privacy.SubjectStream(subject); !slices.Contains(streams, own) {
		streams = append(streams, own)
	}
	for _, s := range streams {
		events, opened, err := p.about(ctx, s, subject)
		if err == nil && len(events) > 0 {
			err = visit(events, opened)
		}
		if err != nil {
			return unavailable(err)
		}
	}
	return nil
}

func (p *Privacy) about(ctx context.Context, s domain.Stream, subject privacy.SubjectID) (all []eventstore.Recorded, opened []seal.Opened, err error) {
	for {
		events, err := p.Executor.Store.ReadStream(ctx, s, int64(len(all)), page)
		if err != nil {
			return nil, nil, err
		}
		for i := range events {
			events[i].Secret = nil
		}
		some, err := p.Executor.Vault.DecodeOnly(ctx, subject.ID, events...)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range some {
			if o.Err != nil {
				return nil, nil, o.Err
			}
		}
		all, opened = append(all, events...), append(opened, some...)
		if len(events) < page {
			return all, opened, nil
		}
	}
}
