package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"gesta/commands"
	"gesta/eventstore"
	"gesta/eventstore/postgres/cluster"
	"gesta/eventstore/relay/natsembed"
	"gesta/migrations"
	"gesta/projections"
)

// Options say what is measured, and with what.
type Options struct {
	Parts    []string // all but the large ones when there are none
	Binary   string   // of gesta
	Progress io.Writer
	Out      io.Writer
	// Open puts the parts of a process together as `gesta dev` does, without serving HTTP.
	Open func(ctx context.Context, installation Installation) (*Process, error)
}

// Process is a running relay, projector and what decides, in this process.
type Process struct {
	Store    eventstore.Store
	Executor *commands.Executor
	Fence    *projections.Fence
	Close    func() error
}

// Installation is a database, a NATS and the secrets of one.
type Installation struct {
	App, Owner string // database URLs
	NATS       string
	Connect    func(...nats.Option) (*nats.Conn, error) // to the same NATS, in its own process
	Secret     string                                   // signs tokens
	MasterKey  string
}

// lab is where everything is measured: a private Postgres that keeps what it commits.
type lab struct {
	Options
	*report
	dir      string
	postgres *cluster.Cluster
	count    int // of databases and NATS servers so far
}

// part is some of what can be measured.
type part struct {
	name  string
	large bool // is measured only when named
	run   func(*lab, context.Context) error
}

var parts = []part{
	{"append", false, (*lab).appends},
	{"read", false, (*lab).reads},
	{"pipeline", false, (*lab).pipeline},
	{"http", false, (*lab).http},
	{"rebuild", false, (*lab).rebuild},
	{"seal", false, (*lab).sealed},
	{"snapshot", false, (*lab).snapshot},
	{"vacuum", false, (*lab).vacuum},
	{"history", false, (*lab).history},
	{"proof", false, (*lab).proof},
	{"growth", true, (*lab).growth},
	{"customers", true, (*lab).customers},
	{"histories", true, (*lab).histories},
}

// Names are the parts that there are.
func Names() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// Run measures and prints the table.
func Run(ctx context.Context, o Options) (err error) {
	dir, err := os.MkdirTemp("", "gesta-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	postgres, err := cluster.Start(ctx, cluster.Options{Dir: filepath.Join(dir, "postgres"), Durable: true, Settings: serverSettings()})
	if err != nil {
		return err
	}
	l := &lab{Options: o, report: &report{out: o.Out, progress: o.Progress}, dir: dir, postgres: postgres}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, postgres.Stop(ctx))
	}()
	return l.measure(ctx)
}

func (l *lab) measure(ctx context.Context) error {
	machine, err := machineOf(ctx, l.postgres.URL("postgres"))
	if err != nil {
		return err
	}
	begin := time.Now()
	for _, p := range parts {
		if !l.wants(p) {
			continue
		}
		if err := p.run(l, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	l.print(machine, time.Since(begin))
	return nil
}

func (l *lab) wants(p part) bool {
	for _, name := range l.Parts {
		if name == p.name {
			return true
		}
	}
	return len(l.Parts) == 0 && !p.large
}

// The login that the measured program has, like in production.
const (
	appLogin    = "gesta_app"
	appPassword = "bench"
	secret      = "0123456789abcdef0123456789abcdef" // signs tokens
)

// install makes an empty installation with a NATS of its own, which end stops.
func (l *lab) install(ctx context.Context) (i Installation, end func(), err error) {
	if i, err = l.database(ctx); err != nil {
		return i, nil, err
	}
	ns, err := startNATS(l.natsDir())
	if err != nil {
		return i, nil, err
	}
	i.NATS, i.Connect = ns.URL(), ns.Connect
	return i, ns.Stop, nil
}

// natsDir is where the NATS of the newest database keeps its streams.
func (l *lab) natsDir() string { return filepath.Join(l.dir, fmt.Sprint("nats", l.count)) }

func startNATS(dir string) (*natsembed.Server, error) {
	return natsembed.Start(natsembed.Options{Dir: dir, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
}

// database makes an empty, migrated database.
func (l *lab) database(ctx context.Context) (i Installation, err error) {
	l.count++
	name := fmt.Sprint("bench", l.count)
	conn, err := pgx.Connect(ctx, l.postgres.URL("postgres"))
	if err != nil {
		return i, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if l.count == 1 {
		if _, err := conn.Exec(ctx, `create role `+appLogin+` login password '`+appPassword+`'`); err != nil {
			return i, err
		}
	}
	if _, err := conn.Exec(ctx, `create database `+name); err != nil {
		return i, err
	}
	i = Installation{Owner: l.postgres.URL(name), Secret: secret, MasterKey: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
	app, err := url.Parse(i.Owner)
	if err != nil {
		return i, err
	}
	app.User = url.UserPassword(appLogin, appPassword)
	i.App = app.String()
	if err := migrations.Up(ctx, i.Owner, schema); err != nil {
		return i, err
	}
	return i, migrations.GrantApp(ctx, i.Owner, schema, appLogin)
}

const schema = "gesta"

// pool opens all of its connections, so that nothing measured is about who connects first; 0 for as many as
// pgx has in a pool unless told otherwise.
func pool(ctx context.Context, database string, connections int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, err
	}
	if connections > 0 {
		config.MaxConns = int32(connections)
	}
	p, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	for range config.MaxConns {
		conn, err := p.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Release()
	}
	return p, nil
}
