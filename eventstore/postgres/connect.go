package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// backend names the server's process at the other end. Its start tells it from a later one that was
// given the same number.
type backend struct {
	pid   uint32
	start time.Time
}

// connect makes a link when there is none. Nothing is sent on it before the one before has ended.
func (a *appender) connect(ctx context.Context) error {
	if a.link != nil {
		return nil
	}
	l, err := dial(ctx, a.config)
	if err != nil {
		return err
	}
	if err := l.end(ctx, a.lost); err != nil {
		l.close(ctx)
		return err
	}
	a.link, a.lost = l, backend{}
	return nil
}

// hangUp gives the link up, and remembers whom it spoke to.
func (a *appender) hangUp() {
	if a.link == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	a.link.close(ctx)
	a.link, a.lost = nil, a.link.self
}

// end sees to it that an earlier connection does nothing any more, and waits for it. Where that may
// not be asked for, the lock on the head has to do: it waits for what the other has begun.
func (l *link) end(ctx context.Context, earlier backend) error {
	if earlier.pid == 0 {
		return nil
	}
	rows, err := l.conn.Query(ctx, "terminate", earlier.pid, earlier.start)
	if err != nil {
		return err
	}
	ended, err := pgx.CollectRows(rows, pgx.RowTo[bool])
	switch {
	case sqlState(err) == insufficientPrivilege:
		return nil
	case err == nil && slices.Contains(ended, false):
		return errors.New("the connection before does not end")
	}
	return err
}

// notice says once that the database has gone away, and once that it is back.
func (a *appender) notice(err error) {
	away := err != nil && isAway(err)
	switch {
	case away && !a.away:
		a.log.Warn("appends can't reach the database", "error", err)
	case !away && a.away:
		a.log.Info("appends reach the database again")
	}
	a.away = away
}
