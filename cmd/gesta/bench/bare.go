package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/bcrypt"

	"gesta/commands"
	"gesta/domain/id"
)

// bareTables are what a plain program would keep: its state, and a log of changes that nobody reads, of the
// same columns and indexes as the events.
const bareTables = `
	create table plain (like gesta.events including indexes);
	create sequence places;
	alter table plain alter position set default nextval('places');
	create table users (
		id uuid primary key, realm text not null, email text not null unique, phone text not null, role text not null,
		active boolean not null, created_at timestamptz not null, updated_at timestamptz not null
	);
	create table sessions (id uuid primary key, user_id uuid not null)`

// bare is what can be had of Echo and pgx without Gesta: each handler makes one statement.
type bare struct {
	db     *pgxpool.Pool
	tokens *commands.Tokens
}

// ServeBare serves the handlers that Gesta is compared with, until ctx ends. It says where in the words in
// which `gesta serve` does. Its pool is of so many connections; 0 for as many as gesta's has.
func ServeBare(ctx context.Context, i Installation, connections int, said io.Writer) error {
	db, err := pool(ctx, i.Owner, connections)
	if err != nil {
		return err
	}
	defer db.Close()
	tokens, err := commands.NewTokens(map[string]commands.Lifetimes{realm: {Access: tokenLife, Refresh: tokenLife}}, time.Now, i.Secret)
	if err != nil {
		return err
	}
	b := bare{db, tokens}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/readyz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.GET("/users/:id", b.get)
	e.PUT("/users/:id", b.put)
	e.POST("/users", b.post)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(said, `{"msg":"serving","addresses":["%s"]}`+"\n", listener.Addr())
	s := &http.Server{Handler: e}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type bareUser struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Phone     string    `json:"phone"`
	Role      string    `json:"role"`
	IsActive  bool      `json:"is_active"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// get checks the token's signature and, in the statement that reads the user, that its session lives.
func (b bare) get(c echo.Context) error {
	token, _ := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
	caller, err := b.tokens.Parse(commands.AccessToken, realm, token)
	if err != nil {
		return echo.ErrUnauthorized
	}
	user, err := id.ParseUUID(c.Param("id"))
	if err != nil {
		return echo.ErrNotFound
	}
	var u bareUser
	var lives bool
	err = b.db.QueryRow(c.Request().Context(), `select id::text, email, phone, role, active, created_at, updated_at,
		exists (select from sessions where id = $2) from users where id = $1`, [16]byte(user), [16]byte(caller.Session.ID)).
		Scan(&u.ID, &u.Email, &u.Phone, &u.Role, &u.IsActive, &u.CreatedAt, &u.UpdatedAt, &lives)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return echo.ErrNotFound
	case err != nil:
		return err
	case !lives:
		return echo.ErrUnauthorized
	}
	return c.JSON(http.StatusOK, u)
}

// put checks nothing.
func (b bare) put(c echo.Context) error {
	user, err := id.ParseUUID(c.Param("id"))
	if err != nil {
		return echo.ErrNotFound
	}
	u := bareUser{ID: c.Param("id"), Email: string(userEmail(0)), Role: "CU", IsActive: true, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	var in struct {
		Phone string `json:"phone"`
	}
	if err := c.Bind(&in); err != nil {
		return err
	}
	u.Phone = in.Phone
	if err := b.insert(c, user, "identity.user.phone_changed", map[string]string{"user_id": user.String(), "phone": in.Phone}); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, u)
}

// post hashes the password at the same cost.
func (b bare) post(c echo.Context) error {
	var in struct{ Email, Phone, Role, Password string }
	if err := c.Bind(&in); err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(in.Password), bcrypt.MinCost)
	if err != nil {
		return err
	}
	now := time.Now()
	user := id.New(now)
	err = b.insert(c, user, "identity.user.registered", map[string]string{
		"user_id": user.String(), "realm": realm, "role": in.Role, "email": in.Email, "phone": in.Phone, "hash": string(hash),
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, bareUser{
		ID: user.UUID(), Email: in.Email, Phone: in.Phone, Role: in.Role, IsActive: true, CreatedAt: now, UpdatedAt: now,
	})
}

func (b bare) insert(c echo.Context, stream id.ID, typ string, data any) error {
	_, err := b.db.Exec(c.Request().Context(), plainInsert, "identity.user", [16]byte(stream), time.Now().UnixNano(),
		[16]byte(id.New(time.Now())), typ, 1, data, registrationMeta, time.Now())
	return err
}
