package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
)

// withLogin answers a database URL with another login in it.
func withLogin(database, login, password string) (string, error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", fmt.Errorf("database URL: %w", err)
	}
	u.User = url.UserPassword(login, password)
	return u.String(), nil
}

// makeLogin makes the login where there is none, and gives it the password, in which only letters,
// digits and base 64's signs stand.
func makeLogin(ctx context.Context, ownerURL, login, password string) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	if err := conn.QueryRow(ctx, `select exists (select from pg_roles where rolname = $1)`, login).Scan(&there); err != nil {
		return err
	}
	how := "create"
	if there {
		how = "alter"
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`%s role %s login password '%s'`, how, pgx.Identifier{login}.Sanitize(), password))
	return err
}
