package postgres

import (
	"context"
	"embed"
	"fmt"
	"path"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed sql/append/*.sql
var appendSQL embed.FS

// link is the appender's own connection, with every statement it will ever say prepared under the
// name of its file.
type link struct {
	conn       *pgx.Conn
	statements map[string]*pgconn.StatementDescription
	self       backend
}

// step is a statement by name, with its parameters in binary and what is done with each row of its
// answer. The values of a row are gone after the call.
type step struct {
	statement string
	params    [][]byte
	row       func(values [][]byte)
}

var binaryFormat = []int16{pgx.BinaryFormatCode}

func dial(ctx context.Context, config *pgx.ConnConfig) (*link, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, statements: map[string]*pgconn.StatementDescription{}}
	if err := l.prepare(ctx); err != nil {
		l.close(ctx)
		return nil, err
	}
	return l, nil
}

func (l *link) prepare(ctx context.Context) error {
	files, err := appendSQL.ReadDir("sql/append")
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := appendSQL.ReadFile(path.Join("sql/append", f.Name()))
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(f.Name(), ".sql")
		if l.statements[name], err = l.conn.Prepare(ctx, name, string(text)); err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	return l.conn.QueryRow(ctx, "whoami").Scan(&l.self.pid, &l.self.start)
}

// exchange sends all steps in one round trip. Outside of a transaction they are one: all commit when
// the last has run, or none does.
func (l *link) exchange(ctx context.Context, steps ...step) error {
	p := l.conn.PgConn().StartPipeline(ctx)
	for _, s := range steps {
		p.SendQueryStatement(l.statements[s.statement], s.params, binaryFormat, binaryFormat)
	}
	err := p.Sync()
	for i := 0; err == nil && i < len(steps); i++ {
		err = receive(p, steps[i])
	}
	// Only the server's last word, which Close awaits, says that all of it is committed.
	if last := p.Close(); err == nil {
		err = last
	}
	return err
}

func receive(p *pgconn.Pipeline, s step) error {
	results, err := p.GetResults()
	if err != nil {
		return err
	}
	rows, ok := results.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("%s is answered by %T", s.statement, results)
	}
	for rows.NextRow() {
		if s.row != nil {
			s.row(rows.Values())
		}
	}
	_, err = rows.Close()
	return err
}

// close hangs up and does not wait for the other end to agree.
func (l *link) close(ctx context.Context) { _ = l.conn.Close(ctx) }
