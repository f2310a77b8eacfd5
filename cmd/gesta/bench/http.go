package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/cmd/gesta/loadgen"
	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/value"
)

const (
	realm       = "accounts"
	tokenLife   = 24 * time.Hour
	password    = "pass123"
	population  = 1000 // users who ask and change
	connections = 64
	calmRate    = 200 // requests a second of one client who comes now and then
)

func userEmail(n int) value.Email { return value.Email(fmt.Sprintf("user%d@bench.example", n)) }

// customer is a user who is signed in.
type customer struct{ id, token string }

// http compares requests to `gesta dev`, whose process has NATS in it, with bare handlers. Each side is a
// process of its own with a Postgres of the same settings; all have the same cores, and the load as well.
func (l *lab) http(ctx context.Context) error {
	i := Installation{Secret: secret}
	ours, err := l.spawn(ctx, i, "dev", "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ours.end()
	all, err := populate(ours.address, population)
	if err != nil {
		return err
	}
	like, err := l.bareInstallation(ctx, i, all)
	if err != nil {
		return err
	}
	reference, err := l.spawn(ctx, like, "bench", "bare")
	if err != nil {
		return err
	}
	defer reference.end()
	if err := l.putsAgainstMore(ctx, ours, like, all); err != nil {
		return err
	}
	for _, measure := range []func(context.Context, *child, *child, []customer) error{l.puts, l.gets, l.posts} {
		if err := measure(ctx, ours, reference, all); err != nil {
			return err
		}
	}
	l.add(row{part: "http", what: "memory of the process, at most", ours: number(ours.peakMemory()) + " MB", ratio: ours.peakMemory(), target: atMostOf(300, "MB")})
	return nil
}

const putPhone = "PUT /users/:id (a new phone number)"

func (l *lab) puts(ctx context.Context, ours, reference *child, all []customer) error {
	change := changes(all)
	if err := l.throughput(ctx, putPhone, "a bare INSERT", []contestant{many(ours, change, 200), many(reference, change, 200)}, atLeast(.65)); err != nil {
		return err
	}
	return l.latency(ctx, putPhone, "a bare INSERT", []contestant{one(ours, change, 200), one(reference, change, 200)}, atMost(3))
}

// putsAgainstMore shows how much more the bare handler does when it has a connection for each client: more
// of them commit together.
func (l *lab) putsAgainstMore(ctx context.Context, ours *child, like Installation, all []customer) error {
	reference, err := l.spawn(ctx, like, "bench", "bare", "--connections", strconv.Itoa(connections))
	if err != nil {
		return err
	}
	defer reference.end()
	change := changes(all)
	return l.throughput(ctx, putPhone, "the same with a pool of "+strconv.Itoa(connections),
		[]contestant{many(ours, change, 200), many(reference, change, 200)}, shown)
}

func (l *lab) gets(ctx context.Context, ours, reference *child, all []customer) error {
	var requests [][]byte
	for _, c := range all {
		requests = append(requests, loadgen.Message("GET", "/users/"+c.id, c.token, nil))
	}
	ask := loadgen.Repeat(requests)
	what, other := "GET /users/:id", "a bare select that checks signature and session"
	if err := l.throughput(ctx, what, other, []contestant{many(ours, ask, 200), many(reference, ask, 200)}, atLeast(.7)); err != nil {
		return err
	}
	return l.latency(ctx, what, other, []contestant{one(ours, ask, 200), one(reference, ask, 200)}, shown)
}

func (l *lab) posts(ctx context.Context, ours, reference *child, _ []customer) error {
	register := func(n int) []byte {
		return loadgen.Message("POST", "/users", "", signUp(fmt.Sprintf("new%d.%d@bench.example", time.Now().UnixNano(), n)))
	}
	return l.throughput(ctx, "POST /users (BCRYPT_COST=4)", "a bare one that hashes at the same cost",
		[]contestant{many(ours, register, 201), many(reference, register, 201)}, shown)
}

func (l *lab) throughput(ctx context.Context, what, other string, both []contestant, t target) error {
	took, err := turns(ctx, rounds, 2*turn, both...)
	if err == nil {
		l.rates("http", fmt.Sprintf("%s, %d connections, against %s", what, connections, other), "requests", took[0], took[1], t)
	}
	return err
}

func (l *lab) latency(ctx context.Context, what, other string, both []contestant, t target) error {
	took, err := turns(ctx, rounds, 2*turn, both...)
	if err != nil {
		return err
	}
	late := time.Duration(medianOf(took[0], func(r result) float64 { return float64(r.late) }))
	l.add(row{
		part: "http", what: fmt.Sprintf("%s, 1 connection, p50 at %d requests/s (sent late by %s at p99), against %s", what, calmRate, millis(late), other),
		ours: times(took[0]), reference: times(took[1]), ratio: ratio(took[0], took[1], p50), target: t,
	})
	return nil
}

// many clients send one request after the other.
func many(to *child, request func(int) []byte, status int) contestant {
	return func(_ context.Context, lasting time.Duration) (result, error) {
		began := time.Now()
		all := traffic(to, request, status).Send(connections, 0, lasting)
		return sent(all, time.Since(began)) // The last answers come after that time.
	}
}

// one client sends at its own pace; what counts is how long it waited from when it wanted to send.
func one(to *child, request func(int) []byte, status int) contestant {
	return func(_ context.Context, lasting time.Duration) (result, error) {
		return sent(traffic(to, request, status).Send(1, calmRate, lasting), lasting)
	}
}

func traffic(to *child, request func(int) []byte, status int) loadgen.Traffic {
	return loadgen.Traffic{Address: to.address, Request: request, Check: func(a loadgen.Answer) error {
		if a.Status != status || a.Header().Get("X-Read-Model") != "" {
			return fmt.Errorf("%d %v %s", a.Status, a.Header(), a.Text)
		}
		return nil
	}}
}

// sent sums samples up. None may have failed.
func sent(all []loadgen.Sample, lasting time.Duration) (result, error) {
	for _, s := range all {
		if s.Err != nil {
			return result{}, s.Err
		}
	}
	if len(all) == 0 {
		return result{}, errors.New("nothing was sent")
	}
	return result{
		rate: float64(len(all)) / lasting.Seconds(),
		p50:  loadgen.Within(.5, all, loadgen.Sample.Waited), p99: loadgen.Within(.99, all, loadgen.Sample.Waited),
		late: loadgen.Within(.99, all, loadgen.Late),
	}, nil
}

// changes are requests for phone numbers that nobody has had, however often they are counted from 0: who has
// the number already is not changed.
func changes(all []customer) func(int) []byte {
	var last atomic.Int64
	return func(int) []byte {
		n := last.Add(1)
		c := all[n%int64(len(all))]
		return loadgen.Message("PUT", "/users/"+c.id, c.token, map[string]string{"phone": fmt.Sprintf("+%014d", n)})
	}
}

func signUp(email string) map[string]string {
	return map[string]string{"email": email, "password": password, "phone": "+5511999990000", "role": "CU"}
}

// populate registers users and signs them in.
func populate(address string, count int) ([]customer, error) {
	all := make([]customer, count)
	return all, each(count, func(n int) error {
		var user struct{ ID string }
		var login struct {
			Token string `json:"access_token"`
		}
		err := ask(address, loadgen.Message("POST", "/users", "", signUp(string(userEmail(n)))), 201, &user)
		if err == nil {
			err = ask(address, loadgen.Message("POST", "/auth/login", "", map[string]string{"email": string(userEmail(n)), "password": password}), 200, &login)
		}
		all[n] = customer{user.ID, login.Token}
		return err
	})
}

// ask reads what one request is answered, if that is of some status.
func ask(address string, request []byte, status int, into any) error {
	c := loadgen.Client{Address: address}
	defer c.Close()
	a, err := c.Send(request)
	if err == nil && a.Status != status {
		err = fmt.Errorf("%d %s", a.Status, a.Text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(a.Text), into)
}

// bareInstallation is what the reference works on: the same users and sessions in tables of its own.
func (l *lab) bareInstallation(ctx context.Context, like Installation, all []customer) (i Installation, err error) {
	if i, err = l.database(ctx); err != nil {
		return i, err
	}
	conn, err := pgx.Connect(ctx, i.Owner)
	if err != nil {
		return i, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, bareTables); err != nil {
		return i, err
	}
	tokens, err := commands.NewTokens(nil, time.Now, like.Secret)
	if err != nil {
		return i, err
	}
	batch := &pgx.Batch{}
	for n, c := range all {
		caller, err := tokens.Parse(commands.AccessToken, realm, c.token)
		if err != nil {
			return i, err
		}
		user, err := id.ParseUUID(c.id)
		if err != nil {
			return i, err
		}
		batch.Queue(`insert into users values ($1, $2, $3, $4, 'CU', true, now(), now())`, [16]byte(user), realm, userEmail(n), "+5511999990000")
		batch.Queue(`insert into sessions values ($1, $2)`, [16]byte(caller.Session.ID), [16]byte(user))
	}
	return i, conn.SendBatch(ctx, batch).Close()
}
