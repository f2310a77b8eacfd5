package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gesta/cmd/gesta/demo"
	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/audit"
)

// seedCmd puts in the demo data.
type seedCmd struct {
	DemoPasswords bool `help:"Put users with published passwords into the database of DATABASE_URL."`
}

var (
	errHardened = errors.New("the hardened profile takes no demo data: its users have published passwords")
	errDemo     = errors.New("the demo data has users with published passwords, one of them an administrator; say --demo-passwords if that is what you want in the database of DATABASE_URL")
)

// demoUser is somebody of a realm where nothing else is made up.
type demoUser struct {
	realm string
	role  identity.Role
	email value.Email
	phone value.Phone
}

// No document's example creates any of their addresses.
var demoUsers = []demoUser{
	{"accounts", "BO", "olivia.owner@demo.gesta.example", "+5511900000001"},
	{"accounts", "CU", "carlos.customer@demo.gesta.example", "+5511900000002"},
	{"accounts", "CU", "chiara.customer@demo.gesta.example", "+5511900000003"},
	{"audit", audit.Auditor, "auditor@demo.gesta.example", ""},
	{"audit", audit.Officer, "officer@demo.gesta.example", ""},
	{"audit", audit.Consumer, "consumer@demo.gesta.example", ""},
	{"audit", audit.Decryptor, "decryptor@demo.gesta.example", ""},
}

// Passwords of the demo's users, by realm. They are public on purpose: demo data is for machines that nobody else
// reaches.
var demoPasswords = map[string]string{"accounts": "gesta-demo", "audit": "gesta-demo-audit"}

func (u demoUser) id() identity.UserID {
	return identity.UserID{ID: id.Named("demo/" + string(u.email))}
}

// Run puts the demo data in and prints a login.
func (c seedCmd) Run(ctx context.Context, s *Settings, std streams) error {
	switch {
	case s.hardened():
		return errHardened
	case s.database() != "" && !c.DemoPasswords:
		return errDemo
	}
	return s.with(ctx, std, func(a *app) error {
		if err := a.openCommands(ctx); err != nil {
			return err
		}
		for _, put := range a.seeds() {
			if err := put(ctx); err != nil {
				return err
			}
		}
		fmt.Fprintln(std.out, a.demoLogin(ctx))
		return nil
	})
}

// login is a demo user whose password is published.
type login struct {
	realm    string
	user     identity.UserID
	email    value.Email
	password string
}

// demoLogins are those of the demo data who may do more than others.
var demoLogins = []login{
	demoUsers[0].login(),
	{"promenade", demo.SuperAdmin.ID(), demo.SuperAdmin.Email, demo.Password},
	{"promenade", demo.Admin.ID(), demo.Admin.Email, demo.Password},
	demoUsers[3].login(), demoUsers[4].login(), demoUsers[5].login(), demoUsers[6].login(),
}

func (u demoUser) login() login { return login{u.realm, u.id(), u.email, demoPasswords[u.realm]} }

// demoLogin says how to sign in, where that still works.
func (a *app) demoLogin(ctx context.Context) string {
	var lines []string
	for _, l := range demoLogins {
		if a.works(ctx, l) {
			lines = append(lines, fmt.Sprintf("demo login (%s): %s / %s", l.realm, l.email, l.password))
		}
	}
	if len(lines) == 0 {
		return "no demo login: the demo users were changed"
	}
	return strings.Join(lines, "\n  ")
}

// published answers the demo's administrators that anybody may sign in as.
func (a *app) published(ctx context.Context) (all []value.Email) {
	for _, l := range demoLogins {
		if a.works(ctx, l) {
			all = append(all, l.email)
		}
	}
	return all
}

// works tells whether anybody may sign in so.
func (a *app) works(ctx context.Context, l login) bool {
	u, err := a.identity.Get(ctx, l.realm, l.user)
	if err != nil || u.Status != identity.Active || u.Email != l.email {
		return false
	}
	is, err := a.identity.Passwords.Match(ctx, u.PasswordHash, l.password)
	return is && err == nil
}

// seeds make the demo data of each realm, through the same commands as everybody.
func (a *app) seeds() []func(context.Context) error {
	return []func(context.Context) error{a.seedUsers, a.seedPromenade}
}

// seedUsers makes a few users. They always have the same ids, so that one who has changed since, his address included,
// is not made again. Where one's address is somebody else's, the others are made all the same.
func (a *app) seedUsers(ctx context.Context) (taken error) {
	for _, u := range demoUsers {
		realm := a.realms[u.realm]
		if _, err := a.identity.Get(ctx, realm.Name, u.id()); err == nil {
			continue
		}
		_, err := a.identity.Register(as(ctx, realm.Name, demo.Surface), commands.Registration{
			User:  u.id(),
			Realm: realm, By: itself(realm), Role: u.role, Email: u.email, Phone: u.phone, Password: demoPasswords[realm.Name],
		})
		if err == nil || errors.Is(err, commands.ErrExists) { // By another, just now.
			continue
		}
		err = fmt.Errorf("seed %s: %w", u.email, err)
		if !errors.Is(err, identity.ErrEmailTaken) {
			return err
		}
		taken = err
	}
	return taken
}

// seedPromenade makes a company with a history. One process at a time does, so that nothing happens twice.
func (a *app) seedPromenade(ctx context.Context) error {
	executor := func() *commands.Executor { return commands.NewExecutor(a.store, a.vault, a.hasher) }
	company := demo.New(executor, a.identity, a.realms["promenade"])
	if whole, err := company.IsWhole(ctx); err != nil || whole {
		return err
	}
	return a.leader("seed").Lead(ctx, company.Put)
}
