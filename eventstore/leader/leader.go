// Package leader lets one of several processes do what only one should do at a time. Leadership is
// for liveness alone: for a moment two may believe that they lead, so that whatever they do must be
// safe by other means, such as expected ids and compare-and-swap.
package leader

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	retry    = 250 * time.Millisecond // between two attempts to become the leader
	listen   = time.Second            // how long a silent connection is trusted
	patience = time.Second            // how long the server may take to answer
	hung     = 5 * time.Second        // how long a leader may say nothing
)

// errLost says that the session which held the lock is gone, and the lock with it.
var errLost = errors.New("leadership is lost")

// Postgres leads while it holds a session advisory lock. The session is a connection of its own: no
// pooler may stand between, and nothing else may use it.
type Postgres struct {
	URL  string
	Name string       // one name for all who stand for the same
	Log  *slog.Logger // nil for slog.Default()
}

// Lead waits until it leads and then runs f, whose context ends when leadership is lost. Then it
// waits again. It ends when f returns while it leads, with f's error; when ctx ends, with its error;
// and at once when URL is none.
//
// When a leader dies, another leads within moments; when its network does or it hangs, within seconds.
func (p Postgres) Lead(ctx context.Context, f func(context.Context) error) error {
	config, err := p.config()
	if err != nil {
		return err
	}
	var news News
	for {
		led, err := p.term(ctx, config, f)
		if led {
			return err
		}
		if ctx.Err() == nil && news.Is(err) {
			p.log().Warn("leader: not leading", "name", p.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retry):
		}
	}
}

func (p Postgres) log() *slog.Logger {
	if p.Log != nil {
		return p.Log
	}
	return slog.Default()
}

// config has the server, too, notice soon when the other side is gone without a word.
func (p Postgres) config() (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(p.URL)
	if err != nil {
		return nil, fmt.Errorf("leader: %w", err)
	}
	config.ConnectTimeout = 2 * time.Second
	for name, value := range map[string]string{
		"application_name":        "gesta leader " + p.Name,
		"tcp_keepalives_idle":     "1",
		"tcp_keepalives_interval": "1",
		"tcp_keepalives_count":    "3",
		"idle_session_timeout":    "0",
	} {
		config.RuntimeParams[name] = value
	}
	return config, nil
}

// term is one connection's life. It answers whether f ended while it led; otherwise there may be
// another term, and the error says why this one was over.
func (p Postgres) term(
	ctx context.Context, config *pgx.ConnConfig, f func(context.Context) error,
) (led bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer hangUp(ctx, conn)
	if err := p.acquire(ctx, conn); err != nil {
		return false, err
	}
	return lead(ctx, conn, f)
}

func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = conn.Close(ctx) // It is over either way.
}

func (p Postgres) acquire(ctx context.Context, conn *pgx.Conn) error {
	for {
		var mine bool
		err := conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", p.key()).Scan(&mine)
		if err != nil || mine {
			return err
		}
		if _, err := conn.Exec(ctx, depose, p.key(), hung); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retry):
		}
	}
}

// depose ends the session of a leader that has not asked for anything for too long, which it does every
// second: its process was stopped, or hangs, and would keep the lock for as long as it does. It goes by
// sessions of the same login alone; others are hidden.
const depose = `select pg_terminate_backend(a.pid) from pg_locks as l join pg_stat_activity as a using (pid)
	where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and a.datname = current_database() and a.usename = current_user
	and (l.classid::bigint << 32 | l.objid::bigint) = $1 and a.state_change < clock_timestamp() - $2::interval`

// key spreads names over the 64 bits of an advisory lock.
func (p Postgres) key() int64 {
	sum := sha256.Sum256([]byte("gesta leader " + p.Name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

func lead(ctx context.Context, conn *pgx.Conn, f func(context.Context) error) (led bool, err error) {
	leading, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(leading, conn)
		stop(errLost)
	}()
	err = f(leading)
	lost := context.Cause(leading) == errLost
	stop(nil)
	<-watched
	if lost {
		return false, errLost
	}
	return ctx.Err() == nil, err
}

// watch returns when the session is gone or ctx ends. A closed socket is noticed at once, since watch
// reads from it; a silent one is asked now and then.
func watch(ctx context.Context, conn *pgx.Conn) {
	for ctx.Err() == nil && !conn.IsClosed() {
		if !within(ctx, listen, waitForNotification(conn)) && !within(ctx, patience, conn.Ping) {
			return
		}
	}
}

func waitForNotification(conn *pgx.Conn) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := conn.WaitForNotification(ctx)
		return err
	}
}

func within(ctx context.Context, d time.Duration, f func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return f(ctx) == nil
}
