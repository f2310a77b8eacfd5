package audit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/value"
	"gesta/http/web"
)

func (a api) subjectRoutes() []web.Route {
	const subject = prefix + "/subjects/:id"
	officer, decryptor := web.Only(Officer), web.Only(Decryptor)
	return []web.Route{
		web.Post(subject+"/forget", officer, web.Make(web.Reads(subjectOf), a.forget, a.forgotten, showReceipt)).
			Does("Make all that is kept about a person unreadable for ever").Answers(200).Refuses(400, 401, 403, 404, 409, 413),
		web.Post(subject+"/hold", officer, web.Do(web.Takes(holding), a.hold)).
			Does("Refuse to forget a person, until it is released").Answers(204).Refuses(400, 401, 403, 404, 409),
		web.Post(subject+"/release", officer, web.Do(web.Reads(subjectOf), a.release)).
			Does("End a hold").Answers(204).Refuses(400, 401, 403, 404),
		web.Get(subject+"/export", officer, web.Handle(web.Reads(subjectOf), a.export, showExport)).
			Does("Show all that is kept about a person").Refuses(400, 401, 403, 404, 405).WithoutHead(),
		web.Get(subject+"/key", decryptor, web.Handle(web.Reads(subjectOf), a.key, web.AsIs[subjectKey])).
			Does("Give the key that a person's data is sealed under").Refuses(400, 401, 403, 404, 405, 409).SaysSecrets().WithoutHead(),
	}
}

// asked is a question about a person.
type asked struct {
	subject privacy.SubjectID
	by      identity.Caller
}

// subjectOf takes either spelling: other surfaces write ids as UUIDs.
func subjectOf(r *web.Request) (asked, error) {
	i, err := web.FromPath(r, "id", parseID)
	return asked{privacy.SubjectID{ID: i}, r.Caller}, err
}

func (a api) forget(ctx context.Context, q asked) (commands.SignedForgetting, error) {
	return a.Audit.Privacy.Forget(ctx, q.subject)
}

// forgotten reads the receipt again: it stays the same.
func (a api) forgotten(ctx context.Context, q asked, _ commands.Made) (commands.SignedForgetting, error) {
	return a.Audit.Privacy.Forget(ctx, q.subject)
}

func (a api) release(ctx context.Context, q asked) error {
	return a.Audit.Privacy.Release(ctx, q.subject)
}

func (a api) export(ctx context.Context, q asked) (commands.Exported, error) {
	return a.Audit.Export(ctx, q.by, q.subject)
}

func (a api) key(ctx context.Context, q asked) (subjectKey, error) {
	key, err := a.Audit.SubjectKey(ctx, q.by, q.subject)
	return subjectKey{q.subject.String(), base64.StdEncoding.EncodeToString(key)}, err
}

// hold says why.
type hold struct {
	// Sealed like all that is about the person; up to 1,000 characters.
	Reason string `json:"reason" required:"true"`
}

type heldFor struct {
	asked
	reason string
}

func holding(r *web.Request, in hold) (heldFor, error) {
	q, err := subjectOf(r)
	if err != nil {
		return heldFor{}, err
	}
	var f web.Fields
	return heldFor{q, web.Field(&f, "reason", in.Reason, value.Line(1, 1000))}, f.Err()
}

func (a api) hold(ctx context.Context, h heldFor) error {
	return a.Audit.Privacy.Hold(ctx, h.subject, h.reason)
}

// receipt says that a person was forgotten, and where.
type receipt struct {
	// What is signed: the bytes of this object without spaces between its parts.
	Receipt json.RawMessage `json:"receipt"`
	// Ed25519, in base64.
	PublicKey string `json:"public_key"`
	// In base64.
	Signature string `json:"signature"`
}

func showReceipt(s commands.SignedForgetting) receipt { return receipt(s) }

// subjectKey opens what is sealed of a person.
type subjectKey struct {
	// The person's id.
	Subject string `json:"subject" format:"ulid"`
	// 32 bytes for AES-256-GCM, in base64.
	Key string `json:"key,omitempty"`
}

// export is all that is kept about a person.
type export struct {
	// The person's id, in both spellings.
	Subject     string `json:"subject" format:"ulid"`
	SubjectUUID string `json:"subject_uuid" format:"uuid"`
	// Those that say something about the person.
	Streams []exportedStream `json:"streams"`
}

// exportedStream is one of them.
type exportedStream struct {
	// kind/id.
	Stream string          `json:"stream"`
	Events []exportedEvent `json:"events"`
}

// exportedEvent is what an event says, but for its secrets, and what it says about others.
type exportedEvent struct {
	Type       string          `json:"type"`
	Position   string          `json:"position"`
	Version    string          `json:"version"`
	OccurredAt time.Time       `json:"occurred_at"`
	Data       json.RawMessage `json:"data"`
}

func showExport(x commands.Exported) export {
	shown := export{x.Subject, x.SubjectUUID, make([]exportedStream, len(x.Streams))}
	for i, s := range x.Streams {
		shown.Streams[i] = exportedStream{s.Stream, make([]exportedEvent, len(s.Events))}
		for j, e := range s.Events {
			shown.Streams[i].Events[j] = exportedEvent(e)
		}
	}
	return shown
}
