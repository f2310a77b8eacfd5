package audit_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/proof"
	"gesta/eventstore/scribe"
	"gesta/eventstore/wait"
	"gesta/http/audit"
	"gesta/http/web"
	"gesta/http/web/webtest"
	"gesta/projections"

	readings "gesta/domain/audit"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const password = "a long password 1"

// desk is the surface on a stack of its own, with somebody of each role signed in.
type desk struct {
	*testing.T
	key     proof.Key
	stack   *webtest.Stack
	history projections.History
	client  *webtest.Client
	surface web.Surface
	tokens  map[identity.Role]string
	ids     map[identity.Role]identity.UserID
	upTo    *atomic.Int64 // the position that the index may come to; any one for 0
}

func start(t *testing.T) *desk {
	t.Helper()
	realm := audit.Realm()
	stack := webtest.Start(t, realm.Name)
	stack.Identity.Realms = map[string]identity.Realm{realm.Name: realm}
	aggregates := domain.NewAggregates(identity.Aggregates, crm.Aggregates, privacy.Aggregates, readings.Aggregates)
	executor := stack.Identity.Executor
	app := audit.App{
		Identity: stack.Identity,
		Audit: &commands.Audit{Executor: executor, Privacy: &commands.Privacy{
			Executor: executor, Leave: []commands.Leaving{stack.Identity.Leave},
			Follow: []func(domain.Event) []domain.Stream{stack.Identity.Follow}, Aggregates: aggregates,
		}},
		Streams: commands.History{Store: stack.Store, Vault: executor.Vault, Aggregates: aggregates},
		History: projections.History{DB: &postgres.Lookups{Pool: stack.Reads}, Truth: postgres.DefaultSchema},
	}
	upTo := &atomic.Int64{}
	index(t, ahead{stack.Store, upTo}, stack, app.History)
	key, err := proof.NewKey("audit.example.com/gesta", stack.Identity.Executor.Vault.Keys.Checkpoints())
	if err != nil {
		t.Fatal(err)
	}
	app.VerifierKey = key.Verifier()
	app.Prover = proof.Prover{DB: stack.Store.Pool(), Store: stack.Store, Open: key.Open}
	d := &desk{T: t, key: key, stack: stack, history: app.History, surface: audit.New(app, realm), tokens: map[identity.Role]string{}, ids: map[identity.Role]identity.UserID{}, upTo: upTo}
	d.client = stack.Client(t, d.surface)
	for _, role := range realm.Roles {
		d.appoint(role)
	}
	return d
}

// ahead is a store that has come further than a scribe may see.
type ahead struct {
	eventstore.Store
	upTo *atomic.Int64
}

func (a ahead) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	rows, err := a.Store.Read(ctx, after, limit)
	if last := a.upTo.Load(); last > 0 {
		rows = slices.DeleteFunc(rows, func(r eventstore.Recorded) bool { return r.Position > last })
	}
	return rows, err
}

// index has a scribe write the index of a store's history until the test ends.
func index(t *testing.T, store eventstore.Store, stack *webtest.Stack, h projections.History) {
	s := &scribe.Scribe{
		Name: projections.HistoryFollower, Store: store, Pool: stack.Store.Pool(), Write: h.Write, Log: slog.New(slog.DiscardHandler),
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

// level waits until all that has happened is found.
func (d *desk) level() {
	d.Helper()
	head, err := d.stack.Store.Head(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	if d.upTo.Load() > 0 {
		d.upTo.Store(head.Position)
	}
	wait.Until(d, "the index is level", func() bool {
		at, err := d.history.Indexed(d.Context())
		if err != nil {
			d.Fatal(err)
		}
		return at >= head.Position
	})
}

func (d *desk) appoint(role identity.Role) {
	d.Helper()
	realm := d.stack.Identity.Realms["audit"]
	ctx := domain.WithMeta(d.Context(), domain.Meta{Actor: "system", Realm: realm.Name})
	u, err := d.stack.Identity.Register(ctx, commands.Registration{
		Realm: realm, By: identity.Caller{Realm: realm.Name, Role: realm.Administrator}, Role: role,
		Email: value.Email(string(role) + "@example.com"), Password: password,
	})
	if err != nil {
		d.Fatal(err)
	}
	d.ids[role] = u.ID
	d.tokens[role] = d.client.Do(d, signIn(role, password)).Field(d, "access_token")
}

func signIn(role identity.Role, password string) webtest.Call {
	return webtest.Call{Method: "POST", Path: "/audit/v1/sessions", Body: map[string]string{"email": string(role) + "@example.com", "password": password}}
}

// as is a call by somebody of a role.
func (d *desk) as(role identity.Role, method, path string, body ...any) webtest.Call {
	call := webtest.Call{Method: method, Path: "/audit/v1" + path, Token: d.tokens[role]}
	if len(body) > 0 {
		call.Body = body[0]
	}
	return call
}

func TestTheExchangesOfSessions(t *testing.T) {
	t.Parallel()
	d := start(t)
	token := d.client.Say(t, "sign in", signIn(audit.Auditor, password)).Field(t, "access_token")
	d.client.Say(t, "a wrong password", signIn(audit.Auditor, "not that one"))
	d.client.Say(t, "without an address", webtest.Call{Method: "POST", Path: "/audit/v1/sessions", Body: map[string]string{"password": password}})
	d.client.Say(t, "end the session", webtest.Call{Method: "DELETE", Path: "/audit/v1/sessions", Token: token})
	d.client.Say(t, "with a session that has ended", webtest.Call{Method: "DELETE", Path: "/audit/v1/sessions", Token: token})
	d.client.Say(t, "no such path", webtest.Call{Method: "GET", Path: "/audit/v1/nothing"})
	d.client.Golden(t, "sessions")
}

func TestTheExchangesOfSubjects(t *testing.T) {
	t.Parallel()
	d := start(t)
	ann := d.ids[audit.Consumer].String()
	d.client.Say(t, "hold a person's data", d.as(audit.Officer, "POST", "/subjects/"+ann+"/hold", map[string]string{"reason": "case 4711"}))
	d.client.Say(t, "for another reason", d.as(audit.Officer, "POST", "/subjects/"+ann+"/hold", map[string]string{"reason": "case 4712"}))
	d.client.Say(t, "forget who is held", d.as(audit.Officer, "POST", "/subjects/"+ann+"/forget"))
	d.client.Say(t, "release", d.as(audit.Officer, "POST", "/subjects/"+ann+"/release"))
	d.client.Say(t, "all that is kept, by the other spelling of the id", d.as(audit.Officer, "GET", "/subjects/"+d.ids[audit.Consumer].UUID()+"/export"))
	key := d.client.Do(t, d.as(audit.Decryptor, "GET", "/subjects/"+ann+"/key"))
	if len(key.Field(t, "key")) != 44 || key.Field(t, "subject") != ann {
		t.Error(key.Text)
	}
	d.client.Say(t, "an auditor forgets nobody", d.as(audit.Auditor, "POST", "/subjects/"+ann+"/forget"))
	if a := d.client.Do(t, d.as(audit.Officer, "POST", "/subjects/"+ann+"/forget")); a.Status != 200 {
		t.Error(a.Text)
	}
	d.client.Say(t, "the key of who is forgotten", d.as(audit.Decryptor, "GET", "/subjects/"+ann+"/key"))
	d.client.Say(t, "the key of nobody", d.as(audit.Decryptor, "GET", "/subjects/"+id.Named("nobody").String()+"/key"))
	d.client.Say(t, "what is no id", d.as(audit.Officer, "GET", "/subjects/ann/export"))
	d.client.Golden(t, "subjects")
	if types := d.types(); types["audit.subject.exported"] != 1 || types["audit.subject.key_given"] != 1 || types["privacy.subject.forgotten"] == 0 {
		t.Error(types)
	}
}

// types counts the events there are.
func (d *desk) types() map[string]int {
	d.Helper()
	events, err := d.stack.Store.Read(d.Context(), 0, 10_000)
	if err != nil {
		d.Fatal(err)
	}
	types := map[string]int{}
	for _, e := range events {
		types[e.Type]++
	}
	return types
}

func TestWalk(t *testing.T) {
	t.Parallel()
	d := start(t)
	for _, role := range []identity.Role{audit.Officer, audit.Decryptor} {
		surface := d.surface
		surface.Routes = nil
		for _, r := range d.surface.Routes {
			if roles := r.Access.Roles; len(roles) == 0 || roles[len(roles)-1] == role {
				surface.Routes = append(surface.Routes, r)
			}
		}
		t.Run(string(role), func(t *testing.T) {
			webtest.Walk{
				Client: d.client, Surface: surface, Token: d.tokens[role], Powerless: d.tokens[audit.Consumer],
				Known: map[string]string{"privacy.subject": d.ids[audit.Auditor].String()},
				IsRefusal: func(text string) bool {
					return webtest.IsObject(text, "type", "title", "status", "detail", "code", "request_id") || webtest.IsObject(text, "type", "title", "status", "detail", "code", "request_id", "errors")
				},
			}.Run(t)
		})
	}
}

// A filter that is misspelt would be answered with everything.
func TestUnknownParametersAreRefused(t *testing.T) {
	t.Parallel()
	d := start(t)
	for _, r := range d.surface.Routes {
		if r.Access.Unasked {
			continue
		}
		role := audit.Officer
		if roles := r.Access.Roles; len(roles) > 0 {
			role = roles[len(roles)-1]
		}
		path := strings.NewReplacer(":kind", "identity.user", ":realm", "audit", ":id", d.ids[role].String()).Replace(strings.TrimPrefix(r.Path, "/audit/v1"))
		a := d.client.Do(t, d.as(role, r.Method, path+"?Limit=1", map[string]string{}))
		if a.Status != 400 || !strings.Contains(a.Text, `"parameter":"Limit"`) {
			t.Errorf("%s %s: %d %s", r.Method, r.Path, a.Status, a.Text)
		}
	}
}
