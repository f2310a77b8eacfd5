package postgres

import (
	"bytes"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain/id"
	"gesta/eventstore"
)

// ForgottenSince answers whose keys were destroyed after a time, by the database's clock, and what that says now.
// What is being committed is not seen yet: ask again for some time before.
func (s *Store) ForgottenSince(ctx context.Context, t time.Time) (subjects []id.ID, now time.Time, err error) {
	rows, err := s.pool.Query(ctx, "select subject, now() from "+s.keysTable+" where forgotten_at > $1 union all select null, now()", t)
	if err != nil {
		return nil, now, wrap("forgotten", err)
	}
	var subject *[16]byte
	_, err = pgx.ForEachRow(rows, []any{&subject, &now}, func() error {
		if subject != nil {
			subjects = append(subjects, *subject)
		}
		return nil
	})
	return subjects, now, wrap("forgotten", err)
}

// HouseKeys answers the wrapped keys of the whole store, by name.
func (s *Store) HouseKeys(ctx context.Context) (map[string][]byte, error) {
	rows, err := s.pool.Query(ctx, "select name, wrapped from "+s.houseTable)
	if err != nil {
		return nil, wrap("house keys", err)
	}
	keys := map[string][]byte{}
	var name string
	var wrapped []byte
	_, err = pgx.ForEachRow(rows, []any{&name, &wrapped}, func() error {
		keys[name] = bytes.Clone(wrapped)
		return nil
	})
	return keys, wrap("house keys", err)
}

// KeepHouseKey keeps a key unless there is one of the name.
func (s *Store) KeepHouseKey(ctx context.Context, name string, wrapped []byte) error {
	_, err := s.pool.Exec(ctx, "insert into "+s.houseTable+" (name, wrapped) values ($1, $2) on conflict do nothing", name, wrapped)
	return wrap("house keys", err)
}

// Rewrap answers a key as it is to be wrapped from now on; nil to leave it. Whose is the id of a person, or the name of
// a key of the house.
type Rewrap func(whose, wrapped []byte) ([]byte, error)

// RewrapKeys goes through all keys that there are, those of the house first, and replaces those that rewrap changes.
// Nobody gets a key back that was destroyed meanwhile, and what can't be unwrapped stays as it is. It answers how many
// there are, and how many of them it has replaced; KeysBeside tells how many are left.
func (s *Store) RewrapKeys(ctx context.Context, rewrap Rewrap) (all, replaced int64, err error) {
	house, err := s.HouseKeys(ctx)
	if err != nil {
		return 0, 0, err
	}
	for name, wrapped := range house {
		all++
		now, err := rewrap([]byte(name), wrapped)
		if err != nil || now == nil {
			continue
		}
		done, err := s.pool.Exec(ctx, "update "+s.houseTable+" set wrapped = $3 where name = $1 and wrapped = $2", name, wrapped, now)
		if err != nil {
			return all, replaced, wrap("house keys", err)
		}
		replaced += done.RowsAffected()
	}
	const page = 1000
	for last := (id.ID{}); ; {
		keys, err := s.keysAfter(ctx, last, page)
		if err != nil {
			return all, replaced, err
		}
		n, err := s.replaceKeys(ctx, keys, rewrap)
		all, replaced = all+int64(len(keys)), replaced+n
		if err != nil || len(keys) < page {
			return all, replaced, err
		}
		last = keys[len(keys)-1].Subject
	}
}

func (s *Store) keysAfter(ctx context.Context, last id.ID, limit int) ([]eventstore.SubjectKey, error) {
	rows, err := s.pool.Query(ctx, "select subject, wrapped from "+s.keysTable+
		" where subject > $1 and wrapped <> '' order by subject limit $2", [16]byte(last), limit)
	if err != nil {
		return nil, wrap("keys", err)
	}
	keys, err := pgx.CollectRows(rows, scanKey)
	return keys, wrap("keys", err)
}

func (s *Store) replaceKeys(ctx context.Context, keys []eventstore.SubjectKey, rewrap Rewrap) (int64, error) {
	var subjects []id.ID
	var before, after [][]byte
	for _, k := range keys {
		if now, err := rewrap(k.Subject[:], k.Wrapped); err == nil && now != nil {
			subjects, before, after = append(subjects, k.Subject), append(before, k.Wrapped), append(after, now)
		}
	}
	if len(subjects) == 0 {
		return 0, nil
	}
	done, err := s.pool.Exec(ctx, "update "+s.keysTable+` as k set wrapped = r.after
		from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as r (subject, before, after)
		where k.subject = r.subject and k.wrapped = r.before`, uuids(subjects), before, after)
	return done.RowsAffected(), wrap("keys", err)
}

// IndexSubjects adds what is missing of which streams hold whom, as events say, and gives those a key whom none was
// known to hold: of others it may be lost. It answers how many streams were not known to hold somebody. Meanwhile nobody
// is forgotten.
func (s *Store) IndexSubjects(ctx context.Context, held []eventstore.Holding, keys []eventstore.SubjectKey) (added int64, err error) {
	subjects, kinds, ids := columnsOf(held)
	var whose []id.ID
	var wrapped [][]byte
	for _, k := range keys {
		whose, wrapped = append(whose, k.Subject), append(wrapped, k.Wrapped)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, appending("lock")); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "insert into "+s.keysTable+` (subject, wrapped)
			select k.subject, k.wrapped from unnest($1::uuid[], $2::bytea[]) as k (subject, wrapped)
			where not exists (select from subject_streams as s where s.subject = k.subject)
			on conflict do nothing`, uuids(whose), wrapped)
		if err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `insert into subject_streams (subject, stream_kind, stream_id)
			select * from unnest($1::uuid[], $2::text[], $3::uuid[]) on conflict do nothing`, subjects, kinds, ids)
		added = done.RowsAffected()
		return err
	})
	return added, wrap("index subjects", err)
}

// SealedAfter is the position from which everything is sealed; sealed is false in a store where that has not begun.
func (s *Store) SealedAfter(ctx context.Context) (position int64, sealed bool, err error) {
	var after *int64
	err = s.pool.QueryRow(ctx, `select sealed_after from head`).Scan(&after)
	if after != nil {
		position, sealed = *after, true
	}
	return position, sealed, wrap("sealed after", err)
}

// BeginSealing says that everything after a position is sealed, unless that was said; anew says it all the same.
func (s *Store) BeginSealing(ctx context.Context, position int64, anew bool) error {
	_, err := s.pool.Exec(ctx, `update head set sealed_after = $1 where sealed_after is null or $2`, position, anew)
	return wrap("begin sealing", err)
}

// KeysBeside counts the keys that begin otherwise than any of the heads.
func (s *Store) KeysBeside(ctx context.Context, heads ...[]byte) (n int64, err error) {
	err = s.pool.QueryRow(ctx, "select count(*) from "+s.keysTable+
		" where wrapped <> '' and not substr(wrapped, 1, $2) = any($1)", heads, len(heads[0])).Scan(&n)
	return n, wrap("keys", err)
}

func columnsOf(held []eventstore.Holding) (subjects [][16]byte, kinds []string, ids [][16]byte) {
	for _, h := range held {
		subjects, kinds, ids = append(subjects, h.Subject), append(kinds, h.Stream.Kind), append(ids, h.Stream.ID)
	}
	return subjects, kinds, ids
}

// CountForgotten answers how many persons were forgotten.
func (s *Store) CountForgotten(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, "select count(*) from "+s.keysTable+" where forgotten_at is not null").Scan(&n)
	return n, wrap("forgotten", err)
}
