package postgres

import (
	"bytes"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// inquiry asks, under the lock and in one round trip, for all that a batch could contradict, and
// for what a batch whose answer was lost would have left behind.
type inquiry struct {
	facts *eventstore.Facts
	found map[*job]place                // by the first event of an append
	same  map[eventstore.SubjectID]bool // subjects that have the very key the batch brings

	streams  []domain.Stream
	claims   []eventstore.Claim
	subjects []eventstore.SubjectID
	holdings []eventstore.Holding
	answers  []eventstore.AnswerKey
	firsts   []*job
	ask      struct{ streams, claims, subjects, holdings, answers, firsts table }
}

func newInquiry(jobs []*job) *inquiry {
	in := &inquiry{
		facts: eventstore.NewFacts(), found: map[*job]place{}, same: map[eventstore.SubjectID]bool{},
	}
	in.ask.streams = newTable(pgtype.TextOID, pgtype.UUIDOID)
	in.ask.claims = newTable(pgtype.UUIDOID, pgtype.UUIDOID)
	in.ask.subjects = newTable(keyTypes...)
	in.ask.holdings = newTable(holdingTypes...)
	in.ask.answers = newTable(pgtype.TextOID, pgtype.TextOID)
	in.ask.firsts = newTable(pgtype.TextOID, pgtype.UUIDOID, pgtype.Int8OID, pgtype.UUIDOID)
	for _, j := range jobs {
		in.mention(j)
	}
	return in
}

func (in *inquiry) mention(j *job) {
	for _, w := range j.append.Writes {
		in.mentionWrite(w)
	}
	for _, k := range j.append.Keys {
		in.mentionSubject(k.Subject, k.Wrapped)
	}
	for _, g := range j.append.Forget {
		in.mentionSubject(g.Subject, nil)
	}
	if i := j.append.Idempotency; i != nil {
		in.answers = append(in.answers, eventstore.AnswerKey{Scope: i.Scope, Key: i.Key})
		in.ask.answers[0].text(i.Scope)
		in.ask.answers[1].text(i.Key)
	}
	in.mentionFirst(j)
}

func (in *inquiry) mentionSubject(s id.ID, wrapped []byte) {
	in.subjects = append(in.subjects, eventstore.SubjectID(s))
	in.ask.subjects[0].bytes(s[:])
	in.ask.subjects[1].bytes(wrapped)
}

func (in *inquiry) mentionWrite(w eventstore.Write) {
	in.streams = append(in.streams, w.Stream)
	in.ask.streams[0].text(w.Stream.Kind)
	in.ask.streams[1].bytes(w.Stream.ID[:])
	for _, s := range w.Subjects {
		in.mentionSubject(s, nil)
		in.holdings = append(in.holdings, eventstore.Holding{Subject: eventstore.SubjectID(s), Stream: w.Stream})
		in.ask.holdings.holding(s, w.Stream)
	}
	for _, c := range slices.Concat(w.Take, w.Release) {
		in.claims = append(in.claims, c)
		in.ask.claims[0].bytes(c.Scope[:])
		in.ask.claims[1].bytes(c.Name[:])
	}
}

// mentionFirst notes the first event of an append: where it is, all of the append is.
func (in *inquiry) mentionFirst(j *job) {
	for _, w := range j.append.Writes {
		if len(w.Events) > 0 {
			in.firsts = append(in.firsts, j)
			in.ask.firsts[0].text(w.Stream.Kind)
			in.ask.firsts[1].bytes(w.Stream.ID[:])
			in.ask.firsts[2].int8(w.Expect + 1)
			in.ask.firsts[3].bytes(w.Events[0].ID.ID[:])
			return
		}
	}
}

// steps begin a transaction, take the lock and ask.
func (in *inquiry) steps() []step {
	steps := []step{{statement: "begin"}, lock}
	for _, s := range []struct {
		statement string
		table     table
		row       func([][]byte)
	}{
		{"read_ends", in.ask.streams, in.end},
		{"read_holders", in.ask.claims, in.holder},
		{"read_subjects", in.ask.subjects, in.subject},
		{"read_holdings", in.ask.holdings, in.holding},
		{"read_answers", in.ask.answers, in.answer},
		{"find_events", in.ask.firsts, in.first},
	} {
		if s.table.rows() > 0 {
			steps = append(steps, step{s.statement, s.table.arrays(), s.row})
		}
	}
	return steps
}

// Each row begins with the number of what it is about, counted from 1.
func number(values [][]byte) int { return int(int8Of(values[0])) - 1 }

func (in *inquiry) end(values [][]byte) {
	in.facts.Ends[in.streams[number(values)]] = eventstore.End{
		Version: int8Of(values[1]), Event: id.Event{ID: id.ID(values[2])},
	}
}

func (in *inquiry) holder(values [][]byte) {
	in.facts.Holders[in.claims[number(values)]] = domain.Stream{
		Kind: string(values[1]), ID: id.ID(values[2]),
	}
}

func (in *inquiry) subject(values [][]byte) {
	s := in.subjects[number(values)]
	if is(values[1]) {
		in.facts.Subjects[s] = is(values[2])
	}
	in.same[s] = in.same[s] || is(values[3])
	in.facts.Streams[s] = int(int8Of(values[4]))
}

func is(b []byte) bool { return b[0] == 1 }

func (in *inquiry) holding(values [][]byte) { in.facts.Held[in.holdings[number(values)]] = true }

func (in *inquiry) answer(values [][]byte) {
	key := in.answers[number(values)]
	in.facts.Answers[key] = eventstore.Idempotency{
		Scope: key.Scope, Key: key.Key,
		Fingerprint: bytes.Clone(values[1]), Result: bytes.Clone(values[2]),
	}
}

func (in *inquiry) first(values [][]byte) {
	var at place
	at.read(values[1:])
	at.last.Position-- // the first event's own position
	in.found[in.firsts[number(values)]] = at
}
