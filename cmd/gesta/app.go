package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	oteltrace "go.opentelemetry.io/otel/trace"

	"gesta/commands"
	"gesta/domain"
	readings "gesta/domain/audit"
	"gesta/domain/crm"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/seal"
	"gesta/http/accounts"
	"gesta/http/audit"
	"gesta/http/promenade"
	"gesta/http/web"
	"gesta/migrations"
	"gesta/projections"
)

// app is the one place where the parts meet.
type app struct {
	*Settings
	sys         *system
	log         *slog.Logger
	metrics     *prometheus.Registry
	tracer      oteltrace.Tracer // nil where nothing is traced
	catalogue   domain.Catalogue
	aggregates  domain.Aggregates
	sealed      bool        // whether sealing has begun: everything after sealedAfter is sealed
	sealedAfter int64       // position
	vault       *seal.Vault // nil until it is opened
	hasher      commands.Hasher
	handoff     *eventstore.Handoff
	store       *postgres.Store
	reads       *pgxpool.Pool
	executor    *commands.Executor
	identity    *commands.Identity
	crm         *commands.CRM
	privacy     *commands.Privacy
	realms      map[string]identity.Realm
	surfaces    []web.Surface
}

// How long a request waits until readers see what it wrote.
const settleBound = 2 * time.Second

// newCatalogue has the events of all contexts.
func newCatalogue() domain.Catalogue {
	return domain.NewCatalogue(identity.Types, crm.Types, privacy.Types, readings.Types, eventstore.Types)
}

// open connects the store and the read models of a system. Nothing runs yet but the store's appender.
func (s *Settings) open(ctx context.Context, sys *system, log *slog.Logger) (a *app, err error) {
	a = &app{Settings: s, sys: sys, log: log, metrics: prometheus.NewRegistry(), handoff: &eventstore.Handoff{}}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.catalogue = newCatalogue()
	a.aggregates = domain.NewAggregates(identity.Aggregates, crm.Aggregates, privacy.Aggregates, readings.Aggregates)
	a.store, err = postgres.Open(ctx, postgres.Options{
		URL: sys.url, Schema: sys.schema, Handoff: a.handoff, Logger: a.log, Metrics: postgres.NewMetrics(a.metrics),
	})
	if err != nil {
		return nil, err
	}
	if a.reads, err = projections.Open(ctx, sys.url, sys.schema); err != nil {
		a.store.Close()
		return nil, err
	}
	return a, nil
}

// openFor opens what roles need.
func (s *Settings) openFor(ctx context.Context, sys *system, log *slog.Logger, roles []string) (*app, error) {
	a, err := s.open(ctx, sys, log)
	if err != nil {
		return nil, err
	}
	switch {
	case decides(roles):
		err = a.openCommands(ctx)
	case slices.Contains(roles, "projector"), slices.Contains(roles, "audit"):
		err = a.openVault(ctx)
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// openExecutor adds what decides, but for what needs a password or a token.
func (a *app) openExecutor(ctx context.Context) error {
	if err := a.openVault(ctx); err != nil {
		return err
	}
	a.openRealms()
	a.executor = commands.NewExecutor(a.store, a.vault, a.hasher)
	sender, err := a.mail()
	if err != nil {
		return err
	}
	a.identity = &commands.Identity{Executor: a.executor, Realms: a.realms, Mail: sender}
	a.crm = &commands.CRM{Executor: a.executor, Realm: promenade.Realm().Name}
	a.privacy = &commands.Privacy{
		Executor: a.executor, Aggregates: a.aggregates, Leave: []commands.Leaving{a.identity.Leave, a.crm.Leave},
		Follow: []func(domain.Event) []domain.Stream{a.identity.Follow},
	}
	return nil
}

func (a *app) openRealms() {
	a.realms = map[string]identity.Realm{}
	for _, r := range []identity.Realm{a.accountsRealm(), a.promenadeRealm(), a.auditRealm()} {
		a.realms[r.Name] = r
	}
}

func (a *app) accountsRealm() identity.Realm {
	r := accounts.Realm(a.signUp())
	r.FailedSignIns = a.Accounts.FailedSignIns
	return r
}

func (a *app) promenadeRealm() identity.Realm {
	r := promenade.Realm()
	r.FailedSignIns, r.Lockout = a.Promenade.FailedSignIns, a.Promenade.Lockout
	if a.hardened() {
		r.StaffOnly, r.ProvenContacts = promenade.StaffOnly, true
	}
	return r
}

func (a *app) auditRealm() identity.Realm {
	r := audit.Realm()
	r.FailedSignIns, r.Lockout = a.Audit.FailedSignIns, a.Audit.Lockout
	return r
}

// openCommands adds all that decides, and the surfaces on top of it.
func (a *app) openCommands(ctx context.Context) error {
	if err := a.openExecutor(ctx); err != nil {
		return err
	}
	secrets, err := a.sys.secrets()
	if err := errors.Join(err, secrets.noJWT); err != nil {
		return err
	}
	tokens, err1 := commands.NewTokens(a.lifetimes(), time.Now, secrets.jwt[0], secrets.jwt[1:]...)
	passwords, err2 := commands.NewPasswords(a.BcryptCost)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	passwords.Line = max(1, a.MaxRequests/2) // A flood of sign-ins leaves room for other requests.
	a.identity.Passwords, a.identity.Tokens = passwords, tokens
	if err := a.prepare(ctx); err != nil {
		return err
	}
	return a.openSurfaces()
}

// prepare makes the system roles of realms. What a newer program has written of them is left to it.
func (a *app) prepare(ctx context.Context) error {
	for _, realm := range a.realms {
		err := a.identity.Prepare(as(ctx, realm.Name, ""), realm)
		if errors.Is(err, domain.ErrUnknownType) {
			a.log.Warn("the roles of a realm are a newer program's", "realm", realm.Name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) openSurfaces() (err error) {
	reads := &postgres.Lookups{Pool: a.reads}
	a.surfaces = []web.Surface{a.accounts(reads), a.promenade(reads), a.auditing()}
	for _, s := range a.surfaces {
		err = errors.Join(err, s.CORS.Err())
	}
	return err
}

func (a *app) accounts(reads *postgres.Lookups) web.Surface {
	realm := a.realms["accounts"]
	s := accounts.New(accounts.App{Identity: a.identity, Users: projections.Users{DB: reads, Realm: realm.Name}}, realm)
	s.CORS.Origins = a.Accounts.CORSAllowOrigin
	return s
}

func (a *app) promenade(reads *postgres.Lookups) web.Surface {
	realm := a.realms["promenade"]
	s := promenade.New(promenade.App{
		Identity: a.identity, CRM: a.crm,
		Users: projections.Users{DB: reads, Realm: realm.Name}, Roles: projections.Roles{DB: reads, Realm: realm.Name},
		Profiles: projections.Profiles{DB: reads, Realm: realm.Name}, Contacts: projections.Contacts{DB: reads},
		Customers: projections.Customers{DB: reads},
	}, realm)
	s.CORS.Origins = a.Promenade.CORSAllowOrigin
	return s
}

func (a *app) auditing() web.Surface {
	app := audit.App{
		Identity: a.identity, Audit: &commands.Audit{Executor: a.executor, Privacy: a.privacy},
		Streams: commands.History{Store: a.store, Vault: a.vault, Aggregates: a.aggregates},
	}
	if a.vault != nil { // Else it is only described.
		app.Prover, app.VerifierKey = a.proves()
		app.History = a.history()
	}
	s := audit.New(app, a.realms["audit"])
	s.Reached = a.indexed
	s.CORS.Origins = a.Audit.CORSAllowOrigin
	return s
}

// close lets go of the databases; whatever ran on them must have ended.
func (a *app) close() {
	a.reads.Close()
	a.store.Close()
}

// as answers a context in which a command line causes what is done to a realm.
func as(ctx context.Context, realm, surface string) context.Context {
	return domain.WithMeta(ctx, domain.Meta{Actor: "system", Realm: realm, Surface: surface})
}

// with opens an app for a command that does one thing, and closes it again.
func (s *Settings) with(ctx context.Context, out streams, do func(*app) error) error {
	return s.withSystem(ctx, func(sys *system) error {
		if sys.server != nil { // Just started, perhaps for the first time.
			if err := sys.migrate(ctx); err != nil {
				return err
			}
		}
		if err := migrations.Check(ctx, sys.url, sys.schema); err != nil {
			return err
		}
		a, err := s.open(ctx, sys, s.logger(out.err))
		if err != nil {
			return err
		}
		defer a.close()
		return do(a)
	})
}
