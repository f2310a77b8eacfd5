package promenade_test

import (
	"context"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gesta/commands/gateway"
	"gesta/domain/identity"
	"gesta/eventstore/wait"
	"gesta/http/promenade"
	"gesta/http/web"
	"gesta/http/web/webtest"
)

// outbox keeps in memory what is sent.
type outbox struct {
	mu   sync.Mutex
	sent []gateway.Message
}

func (o *outbox) Send(_ context.Context, m gateway.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, m)
	return nil
}

func (o *outbox) to(address string) (all []gateway.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.sent {
		if m.To == address {
			all = append(all, m)
		}
	}
	return all
}

var spelledCode = regexp.MustCompile(`^[2-9A-Z]{4}-[2-9A-Z]{4}`)

// code waits for the nth message to an address and answers the code in it.
func (o *outbox) code(t testing.TB, address string, nth int) string {
	t.Helper()
	wait.Until(t, "a code is sent", func() bool { return len(o.to(address)) >= nth })
	all := o.to(address)
	code := spelledCode.FindString(all[nth-1].Text)
	if len(all) != nth || code == "" {
		t.Fatalf("%+v", all)
	}
	return code
}

// hardened is the realm as it is where proofs are asked for.
func hardened() identity.Realm {
	realm := promenade.Realm()
	realm.ProvenContacts = true
	return realm
}

// startHardened serves the surface where proofs are asked for, with a clock that stands still until it is moved.
func startHardened(t testing.TB) (*webtest.Stack, *webtest.Client, *outbox, *atomic.Int64) {
	t.Helper()
	stack, client, _ := startAs(t, hardened())
	begin, clock, sent := time.Now(), &atomic.Int64{}, &outbox{}
	stack.Identity.Executor.Now = func() time.Time { return begin.Add(time.Duration(clock.Load())) }
	stack.Identity.Mail = sent
	stack.React(t)
	return stack, client, sent, clock
}

func brings(code string) map[string]string { return map[string]string{"code": code} }

func TestTheExchangesOfProofs(t *testing.T) {
	t.Parallel()
	_, client, sent, clock := startHardened(t)
	john, other := join(t, client, "john"), join(t, client, "other")
	const work = "john.work@company.com"
	verify := contacts + "/" + john.reachable(t, client, `{"type":"email","email":"`+work+`","label":"Work"}`) + "/verify"
	client.Say(t, "ask for a code", john.as("POST", verify))
	code := sent.code(t, work, 1)
	client.Say(t, "ask again at once", john.as("POST", verify))
	client.Say(t, "what is no code", john.as("POST", verify, brings("1234")))
	client.Say(t, "what is no text", john.as("POST", verify, `{"code":12345678}`))
	client.Say(t, "a wrong code", john.as("POST", verify, brings("2222-2222")))
	client.Say(t, "somebody else's", other.as("POST", verify, brings(code)))
	client.Say(t, "the code that was sent", john.as("POST", verify, brings(code)))
	client.Say(t, "once more", john.as("POST", verify, brings(code)))
	phone := contacts + "/" + john.reachable(t, client, `{"type":"phone","phone":"+441234567890","label":"Mobile"}`) + "/verify"
	client.Say(t, "a phone", john.as("POST", phone))
	client.Say(t, "a phone, by PUT", john.as("PUT", phone))

	own := users + "/" + john.id + "/verify-email"
	client.Say(t, "ask for a code to my address", john.as("POST", own))
	first := sent.code(t, john.email, 1)
	clock.Add(int64(time.Minute))
	client.Say(t, "ask for another one", john.as("POST", own))
	second := sent.code(t, john.email, 2)
	client.Say(t, "the first one is no longer good", john.as("POST", own, brings(first)))
	client.Say(t, "the second one is", john.as("POST", own, brings(second)))
	client.Golden(t, "proof")
}

// A crowd of guesses has five tries, and the right code is no good after them.
func TestFiveTriesAreAllThereAre(t *testing.T) {
	t.Parallel()
	stack, client, sent, clock := startHardened(t)
	john := join(t, client, "john")
	own := users + "/" + john.id + "/verify-email"
	client.Do(t, john.as("POST", own))
	code := sent.code(t, john.email, 1)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a := client.Do(t, john.as("POST", own, brings("2222-2222"))); a.Status != 400 {
				t.Errorf("%d %s", a.Status, a.Text)
			}
		})
	}
	all.Wait()
	if a := client.Do(t, john.as("POST", own, brings(code))); a.Status != 400 {
		t.Errorf("after so many tries: %d %s", a.Status, a.Text)
	}
	if n := failures(t, stack); n != identity.MaxWrongCodes {
		t.Errorf("%d wrong tries are recorded", n)
	}
	clock.Add(int64(time.Minute))
	client.Do(t, john.as("POST", own))
	if a := client.Do(t, john.as("POST", own, brings(sent.code(t, john.email, 2)))); a.Status != 200 {
		t.Errorf("the next code: %d %s", a.Status, a.Text)
	}
}

func failures(t testing.TB, stack *webtest.Stack) (n int) {
	t.Helper()
	events, err := stack.Store.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range events {
		if r.Type == (identity.UserEmailVerificationFailed{}).EventType() {
			n++
		}
	}
	return n
}

// Whoever asks again under a key hears the same, and nothing happens a second time.
func TestAProofUnderAKeyIsAskedForOnce(t *testing.T) {
	t.Parallel()
	stack, client, sent, clock := startHardened(t)
	john := join(t, client, "john")
	own := users + "/" + john.id + "/verify-email"
	say := func(key string, status int, body ...any) {
		t.Helper()
		for range 2 {
			if a := client.Do(t, withHeader(john.as("POST", own, body...), "Idempotency-Key", key)); a.Status != status {
				t.Errorf("%s: %d %s", key, a.Status, a.Text)
			}
			clock.Add(int64(time.Minute))
		}
	}
	say("ask", 200)
	code := sent.code(t, john.email, 1)
	say("guess", 400, brings("2222-2222"))
	if n := failures(t, stack); n != 1 {
		t.Errorf("%d wrong tries are recorded", n)
	}
	say("prove", 200, brings(code))
}

// Where nothing can be sent nothing is half done.
func TestWithoutMailNothingIsAskedFor(t *testing.T) {
	t.Parallel()
	stack, client, _ := startAs(t, hardened())
	john := join(t, client, "john")
	verify := contacts + "/" + john.reachable(t, client, `{"type":"email","email":"work@company.com","label":"Work"}`) + "/verify"
	head, err := stack.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client.Say(t, "a contact", john.as("POST", verify))
	client.Say(t, "a contact, by PUT", john.as("PUT", verify))
	client.Say(t, "my address", john.as("POST", users+"/"+john.id+"/verify-email"))
	if after, err := stack.Store.Head(t.Context()); err != nil || after != head {
		t.Errorf("something has happened: %+v, %+v, %v", head, after, err)
	}
	client.Golden(t, "proofwithoutmail")
}

// Only where proofs are asked for do rows take what could be guessed at.
func TestCodesAreCredentials(t *testing.T) {
	t.Parallel()
	for name, proven := range map[string]bool{"documented": false, "hardened": true} {
		realm := promenade.Realm()
		realm.ProvenContacts = proven
		rows := web.LimitCredentials([]web.Surface{promenade.New(promenade.App{}, realm)}, web.Limit{Requests: 1, Per: time.Second})
		for _, row := range []string{"POST " + contacts + "/:id/verify", "PUT " + contacts + "/:id/verify", "POST " + users + "/:id/verify-email"} {
			if _, limited := rows["promenade "+row]; limited != proven {
				t.Errorf("%s: %s is limited: %t", name, row, limited)
			}
		}
	}
}

// Nobody is flooded by way of contacts that come and go, nor by two at once.
func TestSomebodyAsksForOnlySoManyCodes(t *testing.T) {
	t.Parallel()
	_, client, sent, clock := startHardened(t)
	john := join(t, client, "john")
	var asked sync.WaitGroup
	var well, late atomic.Int64
	for range 2 * identity.MaxCodes {
		contact := contacts + "/" + john.reachable(t, client, `{"type":"email","email":"victim@company.com","label":"Work"}`)
		asked.Go(func() {
			switch a := client.Do(t, john.as("POST", contact+"/verify")); a.Status {
			case 200:
				well.Add(1)
				client.Do(t, john.as("DELETE", contact))
			case 429:
				late.Add(1)
			default:
				t.Errorf("%d %s", a.Status, a.Text)
			}
		})
	}
	asked.Wait()
	if well.Load() != identity.MaxCodes || late.Load() != identity.MaxCodes {
		t.Errorf("%d may, %d may not", well.Load(), late.Load())
	}
	clock.Add(int64(identity.CodeLife))
	if a := client.Do(t, john.as("POST", users+"/"+john.id+"/verify-email")); a.Status != 200 {
		t.Errorf("later: %d %s", a.Status, a.Text)
	}
	sent.code(t, john.email, 1)
}
