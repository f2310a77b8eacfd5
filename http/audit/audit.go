// Package audit serves the history to those who audit it: who did what, when, and the proof that nothing was changed or
// left out. There is one file per noun: its rows, what they read, what they show.
package audit

import (
	"context"
	"embed"
	"runtime"
	"slices"
	"time"

	"gesta/commands"
	"gesta/domain/audit"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore/proof"
	"gesta/http/web"
	"gesta/projections"
)

// prefix begins every path.
const prefix = "/audit/v1"

// The realm's words for what somebody may do.
const (
	Auditor   identity.Role = "auditor"   // reads the history, but for what is personal
	Officer   identity.Role = "officer"   // reads it in clear, and decides what becomes of a person's data
	Consumer  identity.Role = "consumer"  // reads events as they are published
	Decryptor identity.Role = "decryptor" // is given the keys of persons as well
)

// Realm is the population of this surface.
func Realm() identity.Realm {
	return identity.Realm{
		Name: "audit", Roles: []identity.Role{Auditor, Officer, Consumer, Decryptor},
		Administrator: Officer, MinPassword: 12, SignUp: identity.SignUpClosed,
		FailedSignIns: identity.FailureRule{Failures: 5, Within: time.Minute}, Lockout: identity.Lockout{Failures: 5, For: 30 * time.Minute},
	}
}

// App is what the surface asks of the rest.
type App struct {
	Identity *commands.Identity
	Audit    *commands.Audit
	Streams  commands.History
	History  projections.History

	Prover      proof.Prover
	VerifierKey string // of what is signed
}

// api is the surface with its realm.
type api struct {
	App
	realm identity.Realm
	turns chan struct{} // a token for each export that makes a page
}

// exchanges are what the tests of the surface have seen.
//
//go:embed testdata/wire/*.txt
var exchanges embed.FS

// New makes the surface over an app.
func New(app App, realm identity.Realm) web.Surface {
	a := api{app, realm, make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	return web.Surface{
		Name: "audit", Realm: realm.Name, Title: "The history, for those who audit it",
		Prefixes: []string{prefix}, IDs: web.ULID, Strict: true,
		Dialect: web.Problems, Exchanges: exchanges,
		Routes: slices.Concat(a.sessionRoutes(), a.eventRoutes(), a.streamRoutes(), a.actorRoutes(), a.requestRoutes(), a.summaryRoutes(),
			a.subjectRoutes(), a.proofRoutes()),
		Authenticate: web.Bearer(func(ctx context.Context, token string) (identity.Caller, error) {
			return app.Identity.Authenticate(ctx, realm.Name, token)
		}),
	}
}

// readers may see the history.
var readers = web.Only(Auditor, Officer)

// seesClear tells whether somebody sees what is personal.
func seesClear(by identity.Caller) bool { return by.Role == Officer }

// recorded notes that somebody reads a part of the history before he does.
func recorded[In any](a api, part audit.Part, reading web.Reading[In]) web.Reading[In] {
	return reading.And(func(r *web.Request, in In) (In, error) {
		return in, a.note(r, part)
	})
}

// recordedStream is recorded for a form that comes in a stream, of whose events a HEAD tells nothing.
func recordedStream[In any](a api, part audit.Part, reading web.Reading[In]) web.Reading[In] {
	return reading.And(func(r *web.Request, in In) (In, error) {
		if r.SaysNothing() {
			return in, nil
		}
		return in, a.note(r, part)
	})
}

func (a api) note(r *web.Request, part audit.Part) error {
	return a.Audit.Read(r.Context(), r.Caller, part, seesClear(r.Caller))
}

// parseID reads an id in either spelling: other surfaces write theirs as UUIDs.
func parseID(text string) (id.ID, error) {
	if i, err := web.UUID.Parse(text); err == nil {
		return i, nil
	}
	return web.ULID.Parse(text)
}
