package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gesta/commands"
	"gesta/eventstore/postgres/cluster"
	"gesta/migrations"
)

// system is the database a command works on, and the secrets that belong to it.
type system struct {
	url, ownerURL string // as the app's login, and as the owner of the tables
	schema        string
	secrets       func() (secrets, error) // asked for only by those who need them
	server        *cluster.Cluster        // nil unless this process started it
}

// system finds what the command works on: DATABASE_URL, or else the `gesta dev` of the data folder,
// whose Postgres is started when it does not run.
func (s *Settings) system(ctx context.Context) (*system, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	url := s.database()
	if url == "" {
		return s.devSystem(ctx)
	}
	owner := s.MigrateDatabaseURL
	if owner == "" {
		owner = url
	}
	return &system{url: url, ownerURL: owner, schema: s.Schema, secrets: s.secrets}, nil
}

// devSystem attaches to the running `gesta dev`, or starts its Postgres for as long as the command
// takes.
//
// Another command may be starting or stopping it at the same moment: that is waited for.
func (s *Settings) devSystem(ctx context.Context) (*system, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		sys, err := s.attachOrStart(ctx)
		if err == nil || !errors.Is(err, cluster.ErrRunning) || ctx.Err() != nil {
			return sys, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// startTime is how long the Postgres of the data folder may take to be there; after a crash it recovers.
const startTime = 2 * time.Minute

func (s *Settings) attachOrStart(ctx context.Context) (*system, error) {
	address, err := cluster.Attach(s.postgresDir())
	switch {
	case errors.Is(err, cluster.ErrNotRunning) && !cluster.Exists(s.postgresDir()):
		return nil, fmt.Errorf("there is nothing of gesta in %s: 'gesta dev' begins there, GESTA_DATA names another folder, DATABASE_URL a database", s.Data)
	case errors.Is(err, cluster.ErrNotRunning):
		return s.startDev(ctx)
	case err != nil:
		return nil, err
	}
	conn, err := pgx.Connect(ctx, address.URL("postgres"))
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !strings.HasPrefix(refused.Code, "57") {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w, and does not answer: %w", cluster.ErrRunning, err)
	}
	if err := conn.Close(ctx); err != nil {
		return nil, err
	}
	return s.dev(ctx, address.URL, nil)
}

// startDev starts the Postgres of the data folder as a child of this process.
func (s *Settings) startDev(ctx context.Context) (*system, error) {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, err
	}
	if err := refuseForeign(s.Data); err != nil {
		return nil, err
	}
	server, err := cluster.Start(ctx, cluster.Options{Dir: s.postgresDir(), Durable: true})
	if err != nil {
		return nil, err
	}
	sys, err := s.dev(ctx, server.URL, server)
	if err != nil {
		return nil, errors.Join(err, stopCluster(server))
	}
	return sys, nil
}

// refuseForeign refuses a folder that another user owns: what root leaves in it would lock that one out.
func refuseForeign(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d); run gesta as that one", dir, stat.Uid)
	}
	return nil
}

func (s *Settings) postgresDir() string { return filepath.Join(s.Data, "postgres") }

// devLogin is the login that `gesta dev` runs as: like in production, it may insert and read events,
// no more.
const devLogin = "gesta_app"

func (s *Settings) dev(ctx context.Context, url func(string) string, server *cluster.Cluster) (*system, error) {
	keys, err := devSecrets(s.Data)
	if err != nil {
		return nil, err
	}
	s.CheckpointsFile = cmp.Or(s.CheckpointsFile, filepath.Join(s.Data, "checkpoints"))
	sys := &system{ownerURL: url("postgres"), schema: s.Schema, server: server}
	sys.secrets = func() (secrets, error) { return s.over(keys.secrets) }
	sys.url, err = withLogin(sys.ownerURL, devLogin, keys.login)
	if err != nil || server == nil {
		return sys, err
	}
	return sys, makeLogin(ctx, sys.ownerURL, devLogin, keys.login)
}

// migrate brings the schema up and lets the app's login in.
func (s *system) migrate(ctx context.Context) error {
	if err := migrations.Up(ctx, s.ownerURL, s.schema); err != nil {
		return err
	}
	login, err := loginOf(s.url)
	if err != nil {
		return err
	}
	if owner, err := loginOf(s.ownerURL); err != nil || owner == login {
		return err
	}
	return migrations.GrantApp(ctx, s.ownerURL, s.schema, login)
}

// close stops what was started for the command.
func (s *system) close() error {
	if s.server == nil {
		return nil
	}
	return stopCluster(s.server)
}

func stopCluster(c *cluster.Cluster) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return c.Stop(ctx)
}

// place says where the database is, without login and password.
func (s *system) place() string {
	config, err := pgx.ParseConfig(s.url)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database)
}

func loginOf(url string) (string, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return "", fmt.Errorf("database URL: %w", err)
	}
	return config.User, nil
}

// devKeys are the secrets that `gesta dev` makes for itself and keeps in its data folder.
type devKeys struct {
	secrets
	login string // password of the app's login
}

func devSecrets(dir string) (k devKeys, err error) {
	jwt, err1 := keptSecret(filepath.Join(dir, "jwt-secret"))
	this, _ := masterKeyFile(dir)
	master, err2 := keptSecret(this)
	next, err4 := nextMasterKey(dir)
	login, err3 := keptSecret(filepath.Join(dir, "app-password"))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return k, err
	}
	key, err := parseMasterKey(master)
	if err != nil || len(jwt) < commands.MinSecret || login == "" {
		return k, fmt.Errorf("jwt-secret, master-key or app-password in %s is not what gesta has written there", dir)
	}
	return devKeys{secrets{jwt: []string{jwt}, master: append([][]byte{key}, next...)}, login}, nil
}

// keptSecret answers the secret in a file, making both when there is none. The file appears whole, so
// that a start that is cut off leaves no half of one.
func keptSecret(path string) (string, error) {
	if text, err := os.ReadFile(path); err == nil || !os.IsNotExist(err) {
		return string(text), err
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // It never fails.
	secret := base64.StdEncoding.EncodeToString(b[:])
	fresh, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return "", err
	}
	defer os.Remove(fresh.Name())
	_, err = fresh.WriteString(secret)
	if err := errors.Join(err, fresh.Sync(), fresh.Close()); err != nil {
		return "", err
	}
	if err := os.Link(fresh.Name(), path); err != nil && !os.IsExist(err) {
		return "", err
	}
	text, err := os.ReadFile(path) // Another command's, if it was faster.
	return string(text), err
}
