package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore/feed"
	"gesta/eventstore/postgres"
	"gesta/eventstore/seal"
	"gesta/projections"
)

// rebuild compares a projector that catches up with a program that has the rows already, and writes them
// into the same table as fast as it can.
func (l *lab) rebuild(ctx context.Context) error {
	i, stop, err := l.install(ctx)
	if err != nil {
		return err
	}
	defer stop()
	s, err := postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema})
	if err != nil {
		return err
	}
	defer s.Close()
	ours, err := newCatchUp(ctx, i, s, false)
	if err != nil {
		return err
	}
	defer ours.close(ctx)
	took, err := turns(ctx, 3, 0, whole(ours.project), whole(ours.upsert))
	if err != nil {
		return err
	}
	l.rates("rebuild", fmt.Sprintf("a projector that catches up with %d events, against the same rows by 500-row unnest upserts", projected),
		"events", took[0], took[1], atLeast(.35))
	return l.replace(ctx, i)
}

// replace shows how fast all read models are built anew while the process that has them goes on.
func (l *lab) replace(ctx context.Context, i Installation) error {
	c, err := l.spawn(ctx, i, "serve", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer c.end()
	r, err := whole(func(ctx context.Context) (int, error) {
		cmd := exec.CommandContext(ctx, l.Binary, "projections", "rebuild")
		cmd.Env = c.cmd.Env
		if said, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%w: %s", err, said)
		}
		return projected, nil
	})(ctx, 0)
	l.add(row{part: "rebuild", what: fmt.Sprintf("all read models of %d events anew, compared and put in place", projected), ours: perSecond(r.rate, "events")})
	return err
}

// catchUp is a history, read models that are brought back to its beginning again and again, and a table like
// theirs.
type catchUp struct {
	projector *projections.Projector
	passed    chan int64
	conn      *pgx.Conn
	rows      []projections.User
	last      int64
}

// following is a history that is projected.
func following(i Installation, s *postgres.Store, vault *seal.Vault) *catchUp {
	c := &catchUp{passed: make(chan int64, 1)}
	c.projector = &projections.Projector{
		URL: i.App, Schema: schema, Vault: vault, Projections: projections.All,
		Feed: &feed.Feed{Store: seal.Ahead{Store: s, Vault: vault}}, Store: s, Log: slog.New(slog.DiscardHandler), Passed: c.note,
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
	}
	return c
}

func newCatchUp(ctx context.Context, i Installation, s *postgres.Store, clear bool) (*catchUp, error) {
	vault, err := vaultOf(ctx, s, i)
	if err != nil {
		return nil, err
	}
	c := following(i, s, vault)
	if err := fill(ctx, s, ink{vault, clear}, 1); err != nil {
		return nil, err
	}
	if err := c.until(ctx, 1); err != nil { // It makes its tables.
		return nil, err
	}
	if err := fill(ctx, s, ink{vault, clear}, projected-1); err != nil {
		return nil, err
	}
	c.last = projected
	if err := c.until(ctx, c.last); err != nil {
		return nil, err
	}
	if c.conn, err = pgx.Connect(ctx, i.Owner); err != nil {
		return nil, err
	}
	if _, err = c.conn.Exec(ctx, `create table public.users (like gesta_read.users including indexes including generated); set synchronous_commit = off`); err != nil {
		return nil, err
	}
	rows, _ := c.conn.Query(ctx, `select id, name, email, email_verified, phone, role, status, created_at, updated_at, version from gesta_read.users`) // Its error comes again.
	c.rows, err = pgx.CollectRows(rows, pgx.RowToStructByPos[projections.User])
	return c, err
}

func (c *catchUp) close(ctx context.Context) { _ = c.conn.Close(context.WithoutCancel(ctx)) }

// note keeps the newest place.
func (c *catchUp) note(s projections.Standing) {
	select {
	case <-c.passed:
	default:
	}
	c.passed <- s.Position
}

// until runs the projector until it has passed a position.
func (c *catchUp) until(ctx context.Context, position int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.projector.Run(ctx) }()
	for at := int64(0); at < position; {
		select {
		case at = <-c.passed:
		case err := <-ended:
			return fmt.Errorf("the projector ended at %d: %w", at, err)
		}
	}
	stop()
	return <-ended
}

// project brings the read models back to the beginning, and lets the projector catch up.
func (c *catchUp) project(ctx context.Context) (int, error) {
	_, err := c.conn.Exec(ctx, `truncate gesta_read.users, gesta_read.users_counts;
		update gesta_read.checkpoints set position = 0, event_id = '00000000-0000-0000-0000-000000000000'`)
	if err != nil {
		return 0, err
	}
	return int(c.last), c.until(ctx, c.last)
}

// upsert writes the same rows. That they are there already is to its advantage.
func (c *catchUp) upsert(ctx context.Context) (int, error) {
	if _, err := c.conn.Exec(ctx, `truncate public.users`); err != nil {
		return 0, err
	}
	for from := 0; from < len(c.rows); from += unnestRows {
		if err := c.upsertSome(ctx, c.rows[from:min(from+unnestRows, len(c.rows))]); err != nil {
			return 0, err
		}
	}
	return len(c.rows), nil
}

func (c *catchUp) upsertSome(ctx context.Context, rows []projections.User) error {
	var ids [][16]byte
	var realms, names, emails, phones, roles, statuses []string
	var verified []bool
	var created, updated []time.Time
	var versions []int64
	for _, u := range rows {
		ids, realms, names, emails = append(ids, u.ID), append(realms, realm), append(names, u.Name), append(emails, u.Email)
		phones, roles, statuses, verified = append(phones, u.Phone), append(roles, u.Role), append(statuses, u.Status), append(verified, u.EmailVerified)
		created, updated, versions = append(created, u.CreatedAt), append(updated, u.UpdatedAt), append(versions, u.Version)
	}
	_, err := c.conn.Exec(ctx, `insert into public.users (id, realm, name, email, phone, role, status, email_verified, created_at, updated_at, version)
		select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::timestamptz[], $10::timestamptz[], $11::bigint[])
		on conflict (id) do update set realm = excluded.realm, name = excluded.name, email = excluded.email, phone = excluded.phone,
			role = excluded.role, status = excluded.status, email_verified = excluded.email_verified,
			created_at = excluded.created_at, updated_at = excluded.updated_at, version = excluded.version`,
		ids, realms, names, emails, phones, roles, statuses, verified, created, updated, versions)
	return err
}
