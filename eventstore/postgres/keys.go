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
// was destroyed meanwhile. It answers how many there are, and how many of them it has replaced.
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
			return 0, err
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

// IndexSubjects adds what is missing of which streams hold whom, as events say. It answers how many were.
func (s *Store) IndexSubjects(ctx context.Context, held []eventstore.Holding) (added int64, err error) {
	subjects, kinds, ids := columnsOf(held)
	done, err := s.pool.Exec(ctx, `insert into subject_streams (subject, stream_kind, stream_id)
		select * from unnest($1::uuid[], $2::text[], $3::uuid[]) on conflict do nothing`, subjects, kinds, ids)
	return done.RowsAffected(), wrap("index subjects", err)
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
