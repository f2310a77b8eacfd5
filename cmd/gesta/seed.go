package main

import (
	"context"
	"errors"
	"fmt"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
)

// seedCmd puts in the demo data.
type seedCmd struct {
	DemoPasswords bool `help:"Put users with published passwords into the database of DATABASE_URL."`
}

var (
	errHardened = errors.New("the hardened profile takes no demo data: its users have published passwords")
	errDemo     = errors.New("the demo data has users with published passwords, one of them an administrator; say --demo-passwords if that is what you want in the database of DATABASE_URL")
)

// demo users of the realm accounts. No document's example creates any of their addresses.
var demoUsers = []struct {
	role  identity.Role
	email value.Email
	phone value.Phone
}{
	{"BO", "olivia.owner@demo.gesta.example", "+5511900000001"},
	{"CU", "carlos.customer@demo.gesta.example", "+5511900000002"},
	{"CU", "chiara.customer@demo.gesta.example", "+5511900000003"},
}

// demoPassword is public on purpose: demo data is for machines that nobody else reaches.
const demoPassword = "gesta-demo"

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
		if err := a.seed(ctx); err != nil {
			return err
		}
		fmt.Fprintln(std.out, a.demoLogin(ctx))
		return nil
	})
}

// demoLogin says how to sign in, if that still works.
func (a *app) demoLogin(ctx context.Context) string {
	if !a.hasDemoLogin(ctx) {
		return "no demo login: the demo users were changed"
	}
	return fmt.Sprintf("demo login (accounts): %s / %s", demoUsers[0].email, demoPassword)
}

// hasDemoLogin tells whether anybody may sign in as the demo's administrator.
func (a *app) hasDemoLogin(ctx context.Context) bool {
	u, err := a.identity.Get(ctx, "accounts", demoUserID(demoUsers[0].email))
	if err != nil || u.Status != identity.Active || u.Email != demoUsers[0].email {
		return false
	}
	is, err := a.identity.Passwords.Match(ctx, u.PasswordHash, demoPassword)
	return is && err == nil
}

func demoUserID(e value.Email) identity.UserID {
	return identity.UserID{ID: id.Named("demo/" + string(e))}
}

// seed makes the demo data through the same commands as everybody. Its users always have the same ids, so
// that one who has changed since, his address included, is not made again.
func (a *app) seed(ctx context.Context) error {
	realm := a.realms["accounts"]
	for _, u := range demoUsers {
		user := demoUserID(u.email)
		if _, err := a.identity.Get(ctx, realm.Name, user); err == nil {
			continue
		}
		_, err := a.identity.Register(as(ctx, realm.Name, "seed"), commands.Registration{
			User:  user,
			Realm: realm, By: itself(realm), Role: u.role, Email: u.email, Phone: u.phone, Password: demoPassword,
		})
		if err != nil && !errors.Is(err, commands.ErrExists) { // By another, just now.
			return fmt.Errorf("seed %s: %w", u.email, err)
		}
	}
	return nil
}
