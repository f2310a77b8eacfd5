package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/eventstore/proof"
	"gesta/eventstore/relay"
	"gesta/eventstore/seal"
	"gesta/http/server"
	"gesta/http/web"
)

// Settings are what every command understands, as a flag or from the environment.
type Settings struct {
	Data string `env:"GESTA_DATA" default:"./.data" type:"path" help:"Folder of 'gesta dev': its Postgres, NATS and secrets. Commands without DATABASE_URL work on it."`

	DatabaseURL        string `name:"database-url" env:"DATABASE_URL" help:"Postgres, as the app's login: it may insert and read events, no more."`
	DBHost             string `name:"db-host" env:"DB_HOST" help:"Postgres host; these DB_ settings stand in for DATABASE_URL."`
	DBPort             int    `name:"db-port" env:"DB_PORT" default:"5432" help:"Postgres port."`
	DBUser             string `name:"db-user" env:"DB_USER" help:"The app's login."`
	DBPassword         string `name:"db-password" env:"DB_PASSWORD" help:"Its password."`
	DBName             string `name:"db-name" env:"DB_NAME" help:"Database."`
	DBSSLMode          string `name:"db-ssl-mode" env:"DB_SSL_MODE" default:"require" enum:"disable,allow,prefer,require,verify-ca,verify-full" help:"How the connection is encrypted."`
	Schema             string `name:"db-schema" env:"DB_SCHEMA" default:"gesta" help:"Schema of the truth; the read models lie in <schema>_read, keys in <schema>_keys."`
	MigrateDatabaseURL string `name:"migrate-database-url" env:"MIGRATE_DATABASE_URL" help:"Postgres, as the owner of the tables; DATABASE_URL when not set."`
	NATSURL            string `name:"nats-url" env:"NATS_URL" default:"nats://127.0.0.1:4222" help:"NATS with JetStream, for 'gesta serve'."`

	JWTSecret         string `name:"jwt-secret" env:"JWT_SECRET" help:"Signs tokens; at least 32 characters."`
	JWTSecretPrevious string `name:"jwt-secret-previous" env:"JWT_SECRET_PREVIOUS" help:"Still verifies tokens, while JWT_SECRET is being changed."`
	MasterKey         string `name:"master-key" env:"GESTA_MASTER_KEY" help:"32 bytes in base64; the keys of personal data are wrapped by it."`
	MasterKeyFile     string `name:"master-key-file" env:"GESTA_MASTER_KEY_FILE" type:"path" help:"A file that holds it."`
	MasterKeyPrevious string `name:"master-key-previous" env:"GESTA_MASTER_KEY_PREVIOUS" help:"Still unwraps keys, while GESTA_MASTER_KEY is being changed: see 'gesta keys rotate'."`

	BcryptCost int    `name:"bcrypt-cost" env:"BCRYPT_COST" default:"10" help:"Cost of a password hash, 4 to 16."`
	RateLimits string `name:"rate-limits" env:"RATE_LIMITS" help:"'off', or rows such as 'accounts POST /auth/login=5/1m', separated by commas, over those that the documents name. A row is switched off by '=off'; 'accounts POST /auth/login#account=5/1m' limits the failed tries at one account apart from an address' tries."`

	TrustedProxies server.Proxies `name:"trusted-proxies" env:"TRUSTED_PROXIES" help:"Addresses and prefixes of proxies, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are believed."`
	Profile        string         `env:"GESTA_PROFILE" default:"documented" enum:"documented,hardened" help:"'documented' keeps what the documents show; 'hardened' replaces what is weak in it."`
	LogLevel       string         `name:"log-level" env:"GESTA_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"What is logged."`

	MaxRequests    int `name:"max-requests" env:"GESTA_MAX_REQUESTS" default:"128" help:"Requests at work at once. As many again wait up to half a second; the next ones get 503."`
	MaxConnections int `name:"max-connections" env:"GESTA_MAX_CONNECTIONS" default:"4096" help:"Open connections. Beyond them the one that was idle for longest is closed."`

	AuditOrigin     string `name:"audit-origin" env:"GESTA_AUDIT_ORIGIN" default:"gesta" help:"Name of the log over the history, and of the key that its checkpoints are signed with; no space, no +."`
	CheckpointsFile string `name:"checkpoints-file" env:"GESTA_CHECKPOINTS_FILE" help:"A file that each signed checkpoint is appended to; 'checkpoints' in the data folder under 'gesta dev', none elsewhere. What is best kept where nobody who may change the database can change it."`

	SMTP      smtpSettings      `embed:"" prefix:"smtp-" envprefix:"GESTA_SMTP_"`
	Accounts  accountsSettings  `embed:"" prefix:"accounts-" envprefix:"ACCOUNTS_"`
	Promenade promenadeSettings `embed:"" prefix:"promenade-" envprefix:"PROMENADE_"`
	Audit     auditSettings     `embed:"" prefix:"audit-" envprefix:"AUDIT_"`
	Stream    streamSettings    `embed:"" prefix:"stream-" envprefix:"GESTA_STREAM_"`
}

// smtpSettings say by which server mail is sent.
type smtpSettings struct {
	URL  string `name:"url" env:"URL" help:"Mail server that codes are sent by under the hardened profile: smtp://user:password@mail.example.com:587 (with STARTTLS) or smtps://user:password@mail.example.com:465. 'smtp://localhost:25?tls=off' speaks in the clear, to a server on the same machine."`
	From string `name:"from" env:"FROM" help:"Whom mail is from, such as 'Gesta <gesta@example.com>'; needed with GESTA_SMTP_URL."`
}

// accountsSettings are those of the realm accounts.
type accountsSettings struct {
	realmSettings
	BORegistration string `name:"bo-registration" env:"BO_REGISTRATION" default:"bootstrap" enum:"bootstrap,open,closed" help:"Who may register as BO in public: the first one (bootstrap), everybody (open), nobody (closed)."`
}

// promenadeSettings are those of the realm promenade.
type promenadeSettings struct {
	realmSettings
	Lockout identity.Lockout `name:"lockout" env:"LOCKOUT" default:"5/30m" help:"How many wrong passwords in a row keep any from being tried on an address, and for how long; 'off' for none."`
}

// auditSettings are those of the realm audit, whose sessions are as short as their tokens.
type auditSettings struct {
	AccessTTL       time.Duration        `name:"access-ttl" env:"ACCESS_TTL" default:"15m" help:"How long a session of an auditor is good for."`
	CORSAllowOrigin web.Origins          `name:"cors-allow-origin" env:"CORS_ALLOW_ORIGIN" help:"Whose pages may read the answers in a browser: origins such as 'https://app.example.com', separated by commas, or '*' for any."`
	FailedSignIns   identity.FailureRule `name:"failed-sign-ins" env:"FAILED_SIGN_INS" default:"5/1m" help:"How many failed sign-ins on one address within which time are suspect; 'off' records none."`
	Lockout         identity.Lockout     `name:"lockout" env:"LOCKOUT" default:"5/30m" help:"How many wrong passwords in a row keep any from being tried on an address, and for how long; 'off' for none."`
}

// realmSettings are those that each realm has.
type realmSettings struct {
	AccessTTL  time.Duration `name:"access-ttl" env:"ACCESS_TTL" default:"15m" help:"How long access tokens are good for."`
	RefreshTTL time.Duration `name:"refresh-ttl" env:"REFRESH_TTL" default:"168h" help:"How long refresh tokens are good for."`

	CORSAllowOrigin web.Origins `name:"cors-allow-origin" env:"CORS_ALLOW_ORIGIN" help:"Whose pages may read the answers in a browser: origins such as 'https://app.example.com', separated by commas, or '*' for any."`

	FailedSignIns identity.FailureRule `name:"failed-sign-ins" env:"FAILED_SIGN_INS" default:"5/1m" help:"How many failed sign-ins on one address within which time are suspect; 'off' records none."`
}

// streamSettings are those of the JetStream stream; without limits it holds the whole history.
type streamSettings struct {
	MaxAge   time.Duration `name:"max-age" env:"MAX_AGE" help:"How long NATS keeps events; unlimited when not set."`
	MaxBytes int64         `name:"max-bytes" env:"MAX_BYTES" help:"How many bytes of events NATS keeps; unlimited when not set."`
	Replicas int           `name:"replicas" env:"REPLICAS" default:"1" help:"On how many NATS servers."`
}

func (s streamSettings) limits() relay.Limits {
	return relay.Limits{MaxAge: s.MaxAge, MaxBytes: s.MaxBytes, Replicas: s.Replicas}
}

// database answers DATABASE_URL, or what the DB_ settings make of one; "" when neither is set.
func (s *Settings) database() string {
	if s.DatabaseURL != "" || s.DBHost == "" {
		return s.DatabaseURL
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(s.DBUser, s.DBPassword), Path: "/" + s.DBName,
		Host: net.JoinHostPort(s.DBHost, strconv.Itoa(s.DBPort)), RawQuery: "sslmode=" + s.DBSSLMode,
	}
	return u.String()
}

func (s *Settings) hardened() bool { return s.Profile == "hardened" }

// signUp says who may register as an administrator of accounts.
func (s *Settings) signUp() identity.SignUp {
	if s.hardened() {
		return identity.SignUpClosed
	}
	return identity.SignUp(s.Accounts.BORegistration)
}

// weaknesses are what the documents show and a careful operator would not: what hardened replaces.
func (s *Settings) weaknesses() []string {
	if s.hardened() {
		return nil
	}
	weak := []string{
		"promenade: every user may work with customers, unless an administrator withdraws it",
		"promenade: contacts and e-mail addresses are verified without a proof",
	}
	if s.Accounts.BORegistration != string(identity.SignUpClosed) {
		weak = append(weak, "accounts: BO may register in public ("+s.Accounts.BORegistration+")")
	}
	return weak
}

func (s *Settings) lifetimes() map[string]commands.Lifetimes {
	of := func(r realmSettings) commands.Lifetimes {
		return commands.Lifetimes{Access: r.AccessTTL, Refresh: r.RefreshTTL}
	}
	promenade := of(s.Promenade.realmSettings)
	promenade.Spell = web.ULID.Write
	audit := commands.Lifetimes{Access: s.Audit.AccessTTL, Refresh: s.Audit.AccessTTL, Spell: web.ULID.Write}
	return map[string]commands.Lifetimes{"accounts": of(s.Accounts.realmSettings), "promenade": promenade, "audit": audit}
}

// maxPlaces is more than any process has memory for, and less than what memory is counted in.
const maxPlaces = 1 << 20

// check refuses values that no flag type refuses.
func (s *Settings) check() error {
	if s.BcryptCost < 4 || s.BcryptCost > 16 {
		return fmt.Errorf("BCRYPT_COST must be from 4 to 16, not %d: with more, a sign-in takes longer than a request may", s.BcryptCost)
	}
	if s.MaxRequests < 1 || s.MaxConnections < 1 || s.MaxRequests > maxPlaces || s.MaxConnections > maxPlaces {
		return fmt.Errorf("GESTA_MAX_REQUESTS and GESTA_MAX_CONNECTIONS must be from 1 to %d", maxPlaces)
	}
	if st := s.Stream; st.MaxAge < 0 || st.MaxAge > 0 && st.MaxAge < time.Second || st.MaxBytes < 0 || st.Replicas < 1 || st.Replicas > 5 {
		return errors.New("GESTA_STREAM_MAX_AGE must be 0 or a second at least, GESTA_STREAM_MAX_BYTES 0 or more, GESTA_STREAM_REPLICAS from 1 to 5")
	}
	if err := errors.Join(checkURL(s.database()), checkURL(s.MigrateDatabaseURL)); err != nil {
		return err
	}
	if err := proof.CheckOrigin(s.AuditOrigin); err != nil {
		return fmt.Errorf("GESTA_AUDIT_ORIGIN: %w", err)
	}
	if _, err := s.mail(); err != nil {
		return err
	}
	for realm, l := range s.lifetimes() {
		if l.Access < time.Second || l.Refresh < time.Second {
			return fmt.Errorf("the tokens of %s must live for a second or more", realm)
		}
	}
	return nil
}

// checkURL refuses a database URL that will never lead anywhere. After an @ in a password the rest of it
// would be taken for the host, and stand in every error.
func checkURL(database string) error {
	if database == "" {
		return nil
	}
	config, err := pgx.ParseConfig(database)
	if err == nil && strings.Contains(config.Host, "@") && !strings.HasPrefix(config.Host, "/") {
		err = errors.New("a database URL has more than one @; in a password it is written %40")
	}
	return err
}

// secrets are what nobody else may know.
type secrets struct {
	jwt    []string // the first one signs
	noJWT  error    // why there is none; only who signs or verifies tokens needs it
	master [][]byte // 32 bytes each; the first one wraps
}

var errNoMasterKey = errors.New("GESTA_MASTER_KEY or GESTA_MASTER_KEY_FILE must be set: 32 bytes in base64 (openssl rand -base64 32)")

// secrets reads them from the settings; their values never stand in an error.
func (s *Settings) secrets() (out secrets, err error) {
	out.jwt, out.noJWT = s.jwtSecrets()
	out.master, err = s.masterKeys()
	return out, err
}

func (s *Settings) jwtSecrets() ([]string, error) {
	if len(s.JWTSecret) < commands.MinSecret {
		return nil, fmt.Errorf("JWT_SECRET must have at least %d characters, not %d", commands.MinSecret, len(s.JWTSecret))
	}
	if s.JWTSecretPrevious == "" {
		return []string{s.JWTSecret}, nil
	}
	return []string{s.JWTSecret, s.JWTSecretPrevious}, nil
}

// masterKeys are the master key and the one before it.
func (s *Settings) masterKeys() ([][]byte, error) {
	key, err := s.masterKey()
	if err != nil || s.MasterKeyPrevious == "" {
		return [][]byte{key}, err
	}
	previous, err := parseMasterKey(s.MasterKeyPrevious)
	if err != nil {
		return nil, fmt.Errorf("GESTA_MASTER_KEY_PREVIOUS %w", err)
	}
	return [][]byte{key, previous}, nil
}

func (s *Settings) masterKey() ([]byte, error) {
	text := s.MasterKey
	if text == "" && s.MasterKeyFile != "" {
		file, err := os.ReadFile(s.MasterKeyFile)
		if err != nil {
			return nil, err
		}
		text = string(file)
	}
	if text == "" {
		return nil, errNoMasterKey
	}
	key, err := parseMasterKey(text)
	if err != nil {
		return nil, fmt.Errorf("GESTA_MASTER_KEY %w", err)
	}
	return key, nil
}

var errMasterKey = errors.New("must be 32 bytes in base64 (openssl rand -base64 32)")

func parseMasterKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != seal.KeyBytes {
		return nil, errMasterKey
	}
	return key, nil
}

// over puts what is set in the place of what `gesta dev` has made for itself.
func (s *Settings) over(kept secrets) (out secrets, err error) {
	out = kept
	if s.JWTSecret != "" {
		if out.jwt, err = s.jwtSecrets(); err != nil {
			return out, err
		}
	}
	if s.MasterKey != "" || s.MasterKeyFile != "" {
		out.master, err = s.masterKeys()
	}
	return out, err
}

// logger logs JSON, with the ids of the request that a line belongs to.
func (s *Settings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // The flag allows only level names.
	return slog.New(server.LogHandler{Handler: slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}
