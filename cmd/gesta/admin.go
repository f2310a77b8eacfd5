package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/web"
)

// adminCmd makes administrators.
type adminCmd struct {
	Create     adminCreate     `cmd:"" help:"Make a user with any role of a realm; works while the server runs."`
	Deactivate adminDeactivate `cmd:"" help:"Put a user out, with all sessions; the address stays taken."`
}

type adminDeactivate struct {
	Realm string `required:"" help:"Realm, such as audit."`
	Email string `required:"" help:"E-mail address."`
}

// Run puts the user out.
func (c *adminDeactivate) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		if err := a.openExecutor(ctx); err != nil {
			return err
		}
		realm, err1 := a.realm(c.Realm)
		email, err2 := value.ParseEmail(c.Email)
		if err := errors.Join(err1, about("email", err2)); err != nil {
			return err
		}
		return a.identity.DeactivateByEmail(as(ctx, c.Realm, "cli"), realm, email)
	})
}

func (a *app) realm(name string) (identity.Realm, error) {
	r, ok := a.realms[name]
	if !ok {
		return r, fmt.Errorf("there is no realm %q; there is %s", name, realmNames(a))
	}
	return r, nil
}

type adminCreate struct {
	Realm         string `required:"" help:"Realm, such as accounts."`
	Role          string `required:"" help:"One of its roles, such as BO."`
	Name          string `help:"What the user is called, in a realm where users have names."`
	Email         string `required:"" help:"E-mail address."`
	Phone         string `help:"Phone number."`
	PasswordStdin bool   `required:"" help:"Read the password from standard input; it is never taken from the command line, which others can see."`
}

// Run makes the user and prints its id.
func (c *adminCreate) Run(ctx context.Context, s *Settings, std streams) error {
	password, err := readLine(std.in)
	if err != nil {
		return err
	}
	return s.with(ctx, std, func(a *app) error {
		if err := a.openCommands(ctx); err != nil {
			return err
		}
		r, err := c.registration(a, password)
		if err != nil {
			return err
		}
		user, err := a.identity.Register(as(ctx, c.Realm, "cli"), r)
		if err == nil {
			fmt.Fprintln(std.out, a.spelling(c.Realm).Write(user.ID.ID))
		}
		return err
	})
}

func (c *adminCreate) registration(a *app, password string) (commands.Registration, error) {
	realm, err := a.realm(c.Realm)
	if err != nil {
		return commands.Registration{}, err
	}
	role, err1 := realm.ParseRole(c.Role)
	email, err2 := value.ParseEmail(c.Email)
	_, err3 := realm.ParsePassword(password)
	r := commands.Registration{Realm: realm, By: itself(realm), Role: role, Email: email, Password: password}
	var err4 error
	if c.Phone != "" {
		r.Phone, err4 = value.ParsePhone(c.Phone)
	}
	var err5 error
	r.Name, err5 = c.name(realm)
	return r, errors.Join(about("role", err1), about("name", err5), about("email", err2), about("password", err3), about("phone", err4))
}

var errNameless = errors.New("is for realms whose users have names")

func (c *adminCreate) name(r identity.Realm) (string, error) {
	switch {
	case r.ParseName != nil:
		return r.ParseName(c.Name)
	case c.Name != "":
		return "", errNameless
	}
	return "", nil
}

// spelling is how a realm writes ids.
func (a *app) spelling(realm string) web.Spelling {
	of := slices.IndexFunc(a.surfaces, func(s web.Surface) bool { return s.Realm == realm })
	return a.surfaces[of].IDs
}

// itself is the caller that a command line or the demo data acts as: it may do what an administrator may.
func itself(r identity.Realm) identity.Caller {
	return identity.Caller{Realm: r.Name, Role: r.Administrator}
}

func realmNames(a *app) string { return strings.Join(slices.Sorted(maps.Keys(a.realms)), ", ") }

func about(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s %w", what, err)
	}
	return nil
}

func readLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
