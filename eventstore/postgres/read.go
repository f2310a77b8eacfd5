package postgres

import (
	"context"
	"embed"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

//go:embed sql/read/*.sql
var readSQL embed.FS

var (
	afterSQL, streamSQL   = reading("after"), reading("stream")
	headSQL, answerSQL    = reading("head"), reading("answer")
	forgetRequestsSQL     = reading("forget_requests")
	holderSQL, holdersSQL = reading("holder"), reading("holders")
	streamsOfSQL          = reading("streams_of")
	claimsOfSQL           = reading("claims_of")
)

func reading(name string) string {
	text, err := readSQL.ReadFile("sql/read/" + name + ".sql")
	if err != nil {
		panic(err) // the file is part of the program
	}
	return string(text)
}

// Read is one short statement; no snapshot outlives it.
func (s *Store) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	return s.events(ctx, through(s.pool), limit, afterSQL, after, limit)
}

// ReadStream is one short statement; no snapshot outlives it. The tail behind a version is a lookup: it is
// most often short, and a whole stream is not.
func (s *Store) ReadStream(
	ctx context.Context, of domain.Stream, after int64, limit int,
) ([]eventstore.Recorded, error) {
	send := through(s.pool)
	if after > 0 {
		send = s.lookups.send
	}
	return s.events(ctx, send, limit, streamSQL, [16]byte(of.ID), of.Kind, after, limit)
}

func (s *Store) events(ctx context.Context, send sender, limit int, sql string, args ...any) ([]eventstore.Recorded, error) {
	if limit <= 0 {
		return nil, nil
	}
	events, err := rowsOf(ctx, send, scanEvent, sql, args...)
	return events, wrap("read", err)
}

// EventColumns are those of events that ScanEvent reads, in that order.
const EventColumns = `position, stream_kind, stream_id, version, event_id, type, schema, data, secret, metadata, occurred_at, recorded_at`

// ScanEvent reads a row of EventColumns, for neighbours that find events by tables of their own.
func ScanEvent(row pgx.CollectableRow) (eventstore.Recorded, error) { return scanEvent(row) }

// scanEvent reads the row as the server sends it, in one allocation for all that is JSON: a follower that
// catches up scans nothing else, and pgx's own scan takes twice as long.
func scanEvent(row pgx.CollectableRow) (e eventstore.Recorded, err error) {
	if row.FieldDescriptions()[0].Format != pgx.BinaryFormatCode { // Where the pool is told to speak the simple protocol.
		return scanSpelled(row)
	}
	v := row.RawValues()
	e.Position, e.Version = int8Of(v[0]), int8Of(v[3])
	e.Stream = domain.Stream{Kind: string(v[1]), ID: id.ID(v[2])}
	e.ID.ID, e.Type, e.Schema = id.ID(v[4]), string(v[5]), int(binary.BigEndian.Uint32(v[6]))
	kept := make([]byte, 0, len(v[7])+len(v[8])+len(v[9]))
	keep := func(text []byte) []byte {
		if text == nil {
			return nil
		}
		kept = append(kept, text...)
		return kept[len(kept)-len(text) : len(kept) : len(kept)]
	}
	e.Data, e.Secret, e.Meta = keep(v[7]), keep(v[8]), keep(v[9])
	e.OccurredAt, e.RecordedAt = timeFrom(int8Of(v[10])), timeFrom(int8Of(v[11]))
	return e, nil
}

func int8Of(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

func scanSpelled(row pgx.CollectableRow) (e eventstore.Recorded, err error) {
	err = row.Scan(&e.Position, &e.Stream.Kind, (*[16]byte)(&e.Stream.ID), &e.Version,
		(*[16]byte)(&e.ID.ID), &e.Type, &e.Schema,
		(*[]byte)(&e.Data), (*[]byte)(&e.Secret), (*[]byte)(&e.Meta), &e.OccurredAt, &e.RecordedAt)
	e.OccurredAt, e.RecordedAt = e.OccurredAt.UTC(), e.RecordedAt.UTC()
	return e, err
}

// Head is the end of the history as it is committed.
func (s *Store) Head(ctx context.Context) (h eventstore.Head, err error) {
	err = s.pool.QueryRow(ctx, headSQL).
		Scan(&h.Epoch, &h.Position, (*[16]byte)(&h.Event.ID), &h.RecordedAt)
	h.RecordedAt = h.RecordedAt.UTC()
	return h, wrap("head", err)
}

// Holder asks by primary key.
func (s *Store) Holder(ctx context.Context, c eventstore.Claim) (domain.Stream, bool, error) {
	holders, err := rowsOf(ctx, s.lookups.send, scanStream, holderSQL, [16]byte(c.Scope), [16]byte(c.Name))
	if err != nil || len(holders) == 0 {
		return domain.Stream{}, false, wrap("holder", err)
	}
	return holders[0], true, nil
}

// ClaimsOf reads the whole table of claims.
func (s *Store) ClaimsOf(ctx context.Context, streams []domain.Stream) (map[domain.Stream][]eventstore.Claim, error) {
	ids, kinds := streamColumns(streams)
	held, err := rowsOf(ctx, through(s.pool), scanHeld, claimsOfSQL, ids, kinds)
	all := map[domain.Stream][]eventstore.Claim{}
	for _, h := range held {
		all[h.Holder] = append(all[h.Holder], h.Claim)
	}
	return all, wrap("claims of", err)
}

func streamColumns(streams []domain.Stream) (ids [][16]byte, kinds []string) {
	for _, s := range streams {
		ids, kinds = append(ids, s.ID), append(kinds, s.Kind)
	}
	return ids, kinds
}

// Holders asks by the leading column of the primary key.
func (s *Store) Holders(ctx context.Context, scope eventstore.Hash) ([]domain.Stream, error) {
	holders, err := rowsOf(ctx, s.lookups.send, scanStream, holdersSQL, [16]byte(scope))
	return holders, wrap("holders", err)
}

func scanStream(row pgx.CollectableRow) (s domain.Stream, err error) {
	err = row.Scan(&s.Kind, (*[16]byte)(&s.ID))
	return s, err
}

// Survey asks all of it in one batch, each with a snapshot of its own.
func (s *Store) Survey(ctx context.Context, q eventstore.Survey) (eventstore.Surveyed, error) {
	a := eventstore.Surveyed{
		Tails: make([][]eventstore.Recorded, len(q.Tails)), Holders: make([][]domain.Stream, len(q.Scopes)),
	}
	questions := &pgx.Batch{}
	for i, t := range q.Tails {
		queueRows(questions, &a.Tails[i], scanEvent, streamSQL, [16]byte(t.Stream.ID), t.Stream.Kind, t.After, t.Limit)
	}
	for i, scope := range q.Scopes {
		queueRows(questions, &a.Holders[i], scanStream, holdersSQL, [16]byte(scope))
	}
	if len(q.Subjects) > 0 {
		queueRows(questions, &a.Keys, scanKey, s.keysSQL, uuids(q.Subjects))
	}
	err := ask(ctx, through(s.pool), questions)
	return a, wrap("survey", err)
}

// Keys asks by primary key.
func (s *Store) Keys(ctx context.Context, subjects []id.ID) ([]eventstore.SubjectKey, error) {
	keys, err := rowsOf(ctx, s.lookups.send, scanKey, s.keysSQL, uuids(subjects))
	return keys, wrap("keys", err)
}

func scanKey(row pgx.CollectableRow) (k eventstore.SubjectKey, err error) {
	return k, row.Scan((*[16]byte)(&k.Subject), &k.Wrapped)
}

func uuids(ids []id.ID) [][16]byte {
	all := make([][16]byte, len(ids))
	for i, one := range ids {
		all[i] = one
	}
	return all
}

// StreamsOf asks by the leading column of the primary key.
func (s *Store) StreamsOf(ctx context.Context, subject id.ID) ([]domain.Stream, error) {
	streams, err := rowsOf(ctx, through(s.pool), scanStream, streamsOfSQL, [16]byte(subject))
	return streams, wrap("streams of", err)
}

// Idempotent asks by primary key.
func (s *Store) Idempotent(ctx context.Context, scope, key string) (eventstore.Idempotency, bool, error) {
	found, err := rowsOf(ctx, s.lookups.send, func(row pgx.CollectableRow) (i eventstore.Idempotency, err error) {
		i.Scope, i.Key = scope, key
		return i, row.Scan(&i.Fingerprint, (*[]byte)(&i.Result))
	}, answerSQL, scope, key)
	if err != nil || len(found) == 0 {
		return eventstore.Idempotency{}, false, wrap("idempotent", err)
	}
	return found[0], true, nil
}

// ForgetRequests takes the oldest by an index of its own; of several processes one does it at a time.
func (s *Store) ForgetRequests(ctx context.Context, age time.Duration, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, forgetRequestsSQL, age, limit)
	return int(tag.RowsAffected()), wrap("forget requests", err)
}
