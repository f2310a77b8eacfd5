// Package postgres keeps the one history of facts in Postgres. One appender in each process gathers
// the appends that stand in its queue and commits them in one transaction and one round trip; reads
// go through a pool.
package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/eventstore"
)

// DefaultSchema holds the truth unless Options names another.
const DefaultSchema = "gesta"

// DefaultTimeout is how long a batch may take unless Options says otherwise.
const DefaultTimeout = 10 * time.Second

// Options says where the history lies and who wants to hear of it. Only URL has no default.
type Options struct {
	// URL is a connection string in either of libpq's forms; pool_max_conns and its like size the
	// pool. Several hosts with target_session_attrs=read-write follow a failover.
	URL     string
	Schema  string              // the schema of the truth; its keys lie in <schema>_keys
	Timeout time.Duration       // after which a batch is given up
	Handoff *eventstore.Handoff // is offered every batch as it commits; nil for nobody
	Logger  *slog.Logger        // nil for slog.Default
	Metrics *Metrics            // nil for none
	Tracer  pgx.QueryTracer     // traces what goes through the pool; nil for none
}

// Store is the eventstore.Store in Postgres. It is safe for concurrent use.
type Store struct {
	pool      *pgxpool.Pool
	lookups   *Lookups
	appender  *appender
	isHeldSQL string // says whether a claim is held, on whatever pool
	keysSQL   string // reads keys

	keysTable, houseTable string // lie in a schema of their own
}

var (
	_ eventstore.Store    = (*Store)(nil)
	_ eventstore.Surveyor = (*Store)(nil)
)

// Open connects to a migrated database. It answers eventstore.ErrUnavailable when the database can't
// be reached, and another error when what it finds there isn't the schema this program was written
// for. Close ends what it starts.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.setDefaults()
	config, err := poolConfig(o)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	a := newAppender(appenderConfig(config.ConnConfig, o.Schema), o)
	if err := a.connect(ctx); err != nil {
		pool.Close()
		return nil, failed("open", err)
	}
	go a.run()
	keys, house := quote(o.Schema+"_keys")+".subject_keys", quote(o.Schema+"_keys")+".house_keys"
	return &Store{
		keysTable: keys, houseTable: house, pool: pool, lookups: &Lookups{Pool: pool}, appender: a,
		isHeldSQL: "select from " + quote(o.Schema) + ".claims where scope = $1 and name = $2",
		keysSQL:   "select subject, wrapped from " + keys + " where subject = any($1)",
	}, nil
}

// Close takes no more appends, answers those that stand in the queue, and returns when the appender
// has stopped and the pool is closed. It waits for whoever still uses the Pool.
func (s *Store) Close() {
	s.appender.close()
	s.pool.Close()
}

// Pool is for neighbours of the store that keep their own tables beside it. Its search path is the
// schema of the truth.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

func (o *Options) setDefaults() {
	if o.Schema == "" {
		o.Schema = DefaultSchema
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

func poolConfig(o Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["search_path"] = quote(o.Schema)
	config.ConnConfig.Tracer = o.Tracer
	Impatient(config)
	return config, nil
}

// appenderConfig makes the appender's connection independent of what the database or the login has
// set: the history would break under another isolation, and be lost without synchronous commits.
func appenderConfig(pool *pgx.ConnConfig, schema string) *pgx.ConnConfig {
	config := pool.Copy()
	config.Tracer = nil
	for name, value := range map[string]string{
		"search_path":                   quote(schema) + ", " + quote(schema+"_keys"),
		"default_transaction_isolation": "read committed",
		"synchronous_commit":            "on",
		// Plans are made once, perhaps while the tables are still empty, and must be good for ever:
		// everything the appender asks for is found by an index.
		"plan_cache_mode":   "force_generic_plan",
		"enable_seqscan":    "off",
		"jit":               "off",
		"lock_timeout":      "0",
		"statement_timeout": "0",
		// The lock of a process that stands still is let go of, and that of a machine that has vanished.
		"idle_in_transaction_session_timeout": "10s",
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "4",
	} {
		config.RuntimeParams[name] = value
	}
	return config
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
