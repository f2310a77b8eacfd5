package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gesta/cmd/gesta/loadgen"
	"gesta/eventstore/postgres"
	"gesta/eventstore/relay/natsembed"
)

// sized is an installation with so many events. The product itself fills its stream and its read models.
type sized struct {
	Installation
	lab    *lab
	events int
	dir    string // of its NATS
	nats   *natsembed.Server
	store  *postgres.Store
	lives  []life
	order  []int  // of users who are asked for; no two measures begin with the same
	token  string // of an administrator
	child  *child
	asked  atomic.Int64
	peak   float64 // memory of all its processes so far, in MB
}

func (l *lab) size(ctx context.Context, events int) (*sized, error) {
	i, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	s := &sized{Installation: i, lab: l, events: events, dir: l.natsDir()}
	if s.nats, err = startNATS(s.dir); err != nil {
		return nil, err
	}
	s.NATS = s.nats.URL()
	if s.store, err = postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema}); err != nil {
		return s, err
	}
	f, err := newFiller(ctx, s.store, i, events)
	if err != nil {
		return s, err
	}
	s.lives = f.lives
	s.order = rand.New(rand.NewPCG(1, 1)).Perm(len(s.lives))
	began := time.Now()
	err = f.fill(ctx, func(step int) {
		if head, err := s.store.Head(ctx); err == nil && (step < commonSteps || step == allSteps-1) {
			l.progressf("filling %s: %d events, %s", s, head.Position, time.Since(began).Round(time.Second))
		}
	})
	if err == nil {
		err = s.settle(ctx)
	}
	return s, err
}

// settle does at once what autovacuum does in its time, which would be in the middle of some measure.
func (s *sized) settle(ctx context.Context) error {
	db, err := pool(ctx, s.Owner, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(ctx, "vacuum analyze")
	return err
}

func (l *lab) progressf(format string, args ...any) { fmt.Fprintf(l.progress, format+"\n", args...) }

// String is how many events, in words.
func (s *sized) String() string {
	if s.events >= 1e6 {
		return fmt.Sprintf("%.3gM", float64(s.events)/1e6)
	}
	return fmt.Sprintf("%dk", s.events/1000)
}

func (s *sized) close() {
	if s.child != nil {
		s.stop((*child).end)
	}
	if s.store != nil {
		s.store.Close()
	}
	s.nats.Stop()
}

// start starts gesta, and answers how long it took until it was ready.
func (s *sized) start(ctx context.Context) (took time.Duration, err error) {
	began := time.Now()
	s.child, err = s.lab.spawn(ctx, s.Installation, "serve", "--listen", "127.0.0.1:0")
	return time.Since(began), err
}

// stop ends gesta in some way, after a look at what memory it has had.
func (s *sized) stop(how func(*child)) {
	s.peak = max(s.peak, s.child.peakMemory())
	how(s.child)
	s.child = nil
}

// await waits until stream, read models and policies are where the history ends.
func (s *sized) await(ctx context.Context) error {
	client := loadgen.Client{Address: s.child.address}
	defer client.Close()
	for said := time.Now(); ; {
		at, err := readiness(&client)
		if err != nil || at.level() {
			return err
		}
		if time.Since(said) > 30*time.Second {
			said = time.Now()
			s.lab.progressf("filling stream and read models of %s: %s", s, at)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// standing is what /readyz says.
type standing struct {
	Detail struct {
		Relay struct {
			Leading  bool
			Lag      int64
			Position int64
		}
		Projector *struct{ Lag int64 }
		Rebuild   *struct{ Position int64 }
		Policies  struct {
			Lag      *int64
			Leading  bool
			Position int64
		}
		Audit map[string]struct{ Lag *int64 }
	}
}

func readiness(c *loadgen.Client) (at standing, err error) {
	a, err := c.Send(loadgen.Message("GET", "/readyz", "", nil))
	if err == nil {
		err = json.Unmarshal([]byte(a.Text), &at)
	}
	return at, err
}

func (s standing) level() bool {
	d := s.Detail
	for _, scribe := range d.Audit {
		if scribe.Lag == nil || *scribe.Lag > 0 {
			return false
		}
	}
	return d.Relay.Leading && d.Relay.Lag == 0 && d.Projector != nil && d.Projector.Lag == 0 &&
		d.Policies.Leading && d.Policies.Lag != nil && *d.Policies.Lag == 0
}

func (s standing) String() string {
	return fmt.Sprintf("relay at %d, policies at %d, read models level: %v", s.Detail.Relay.Position, s.Detail.Policies.Position,
		s.Detail.Projector != nil && s.Detail.Projector.Lag == 0)
}

// administrator registers one, who may ask for everybody.
func (s *sized) administrator() error {
	who := map[string]string{"email": "bo@bench.example", "password": password, "phone": "+5511999990000", "role": "BO"}
	if err := ask(s.child.address, loadgen.Message("POST", "/users", "", who), 201, &struct{}{}); err != nil {
		return err
	}
	var login struct {
		Token string `json:"access_token"`
	}
	err := ask(s.child.address, loadgen.Message("POST", "/auth/login", "", who), 200, &login)
	s.token = login.Token
	return err
}

// next is another user than those before.
func (s *sized) next() life {
	return s.lives[s.order[int(s.asked.Add(1))%len(s.order)]]
}

func (s *sized) get(int) []byte {
	return loadgen.Message("GET", "/users/"+s.next().user.UUID(), s.token, nil)
}

// page asks for one of the pages of ten users, of which the smallest has more than a hundred.
func (s *sized) page(number int) func(int) []byte {
	return func(int) []byte {
		return loadgen.Message("GET", fmt.Sprintf("/users?page=%d&page_size=10", number), s.token, nil)
	}
}

func (s *sized) put(int) []byte {
	u := s.next().user
	return loadgen.Message("PUT", "/users/"+u.UUID(), s.token, map[string]string{"phone": fmt.Sprintf("+%012d", s.asked.Load())})
}
