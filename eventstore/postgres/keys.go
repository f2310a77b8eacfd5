package postgres

import (
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

// RewrapKeys goes through all keys that there are, and replaces those that rewrap changes. Nobody gets a key back that
// was destroyed meanwhile. It answers how many there are, and how many of them it has replaced; KeysBeside tells how
// many are left.
func (s *Store) RewrapKeys(
	ctx context.Context, rewrap func(eventstore.SubjectKey) (eventstore.SubjectKey, bool, error),
) (all, replaced int64, err error) {
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

func (s *Store) replaceKeys(
	ctx context.Context, keys []eventstore.SubjectKey, rewrap func(eventstore.SubjectKey) (eventstore.SubjectKey, bool, error),
) (int64, error) {
	var subjects []id.ID
	var before, after [][]byte
	for _, k := range keys {
		now, changed, err := rewrap(k)
		if err != nil {
			continue // It is left as it is.
		}
		if changed {
			subjects, before, after = append(subjects, k.Subject), append(before, k.Wrapped), append(after, now.Wrapped)
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

// IndexSubjects adds what is missing of which streams hold whom, as events say, and gives those a key who have none.
// It answers how many streams were not known to hold somebody. Meanwhile nobody is forgotten.
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
			select * from unnest($1::uuid[], $2::bytea[]) on conflict do nothing`, uuids(whose), wrapped)
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

// BeginSealing says that everything up to a position was looked through, unless somebody else has said so.
func (s *Store) BeginSealing(ctx context.Context, position int64) error {
	_, err := s.pool.Exec(ctx, `update head set sealed_after = $1 where sealed_after is null`, position)
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
