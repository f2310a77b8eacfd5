package commands_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gesta/commands"
	"gesta/commands/gateway"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/timers"
	"gesta/eventstore/wait"
)

// postbox keeps what is sent, unless it is shut.
type postbox struct {
	mu   sync.Mutex
	shut bool
	sent []gateway.Message
}

var errShut = errors.New("the postbox is shut")

func (b *postbox) Send(_ context.Context, m gateway.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut {
		return errShut
	}
	b.sent = append(b.sent, m)
	return nil
}

func (b *postbox) turn(shut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut = shut
}

func (b *postbox) messages() []gateway.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

var proven = func() identity.Realm {
	r := realm
	r.ProvenContacts = true
	return r
}()

// askForCodes asks for a contact and the address of somebody to be verified.
func (p *population) askForCodes(ann identity.UserID, work identity.ContactID) {
	p.t.Helper()
	_, err := p.VerifyContact(p.t.Context(), verification(ann, work, ""))
	must(p.t, err)
	_, err = p.VerifyEmail(p.t.Context(), commands.EmailVerification{Realm: proven, User: ann})
	must(p.t, err)
}

func verification(u identity.UserID, c identity.ContactID, code identity.Code) commands.ContactVerification {
	return commands.ContactVerification{OwnContact: commands.OwnContact{By: caller(u), Contact: c}, Realm: proven, Code: code}
}

// posts has the policies follow the history of a population.
func (o *office) posts(p *population) {
	w := o.worker(commands.Policies...)
	w.Contexts, w.Vault, w.Now = commands.Contexts{Identity: p.Identity}, p.Executor.Vault, p.Executor.Now
	o.run(w)
}

// startPost has a population with a contact, an office, and a postbox.
func startPost(t *testing.T) (*population, *office, *postbox, identity.UserID, identity.ContactID) {
	store := &memory.Store{Handoff: &eventstore.Handoff{}}
	p, box := populate(t, store), &postbox{}
	p.Mail = box
	ann := p.member("ann@example.com")
	return p, furnish(t, store, &timers.Memory{}, store.Handoff), box, ann, p.contact(ann, "work@example.com", false)
}

func TestCodesAreSentToWhatTheyVerify(t *testing.T) {
	t.Parallel()
	p, o, box, ann, work := startPost(t)
	p.askForCodes(ann, work)
	o.posts(p)
	wait.Until(t, "both are sent", func() bool { return len(box.messages()) == 2 })
	o.level()
	events := append(facts(t, o.store, "identity.contact"), facts(t, o.store, "identity.user")...)
	for _, m := range box.messages() {
		proof := p.contactOf(work).Proof
		if m.To == "ann@example.com" {
			u, err := p.Get(t.Context(), realm.Name, ann)
			must(t, err)
			proof = u.EmailProof
		}
		if !strings.HasPrefix(m.Text, proof.Code.Spelled()) || !strings.Contains(m.Text, proof.Expires.UTC().Format("15:04 UTC")) {
			t.Errorf("%+v says nothing of %+v", m, proof)
		}
		if !caused(events, m.Key) {
			t.Errorf("no event is %s", m.Key)
		}
	}
	if all := box.messages(); len(all) != 2 || all[0].To == all[1].To || all[0].Key == all[1].Key {
		t.Errorf("%+v", all)
	}
}

func caused(events []eventstore.Recorded, key string) bool {
	for _, r := range events {
		if r.ID.String() == key && strings.HasSuffix(r.Type, "verification_requested") {
			return true
		}
	}
	return false
}

// What came too late, or is about another address than was meant, would only mislead.
func TestNoCodeIsSentThatIsNotGoodAnyMore(t *testing.T) {
	t.Parallel()
	for name, overtake := range map[string]func(*population, identity.UserID, identity.ContactID){
		"expired": func(p *population, _ identity.UserID, _ identity.ContactID) { p.clock.Add(int64(identity.CodeLife)) },
		"deleted": func(p *population, ann identity.UserID, work identity.ContactID) {
			must(p.t, p.DeleteContact(p.t.Context(), commands.OwnContact{By: caller(ann), Contact: work}))
			elsewhere := value.Email("elsewhere@example.com")
			_, err := p.Change(p.t.Context(), commands.Change{Realm: proven, By: caller(ann), User: ann, Email: &elsewhere})
			must(p.t, err)
		},
		"proven": func(p *population, ann identity.UserID, work identity.ContactID) {
			_, err := p.VerifyContact(p.t.Context(), verification(ann, work, p.contactOf(work).Proof.Code))
			must(p.t, err)
			u, err := p.Get(p.t.Context(), realm.Name, ann)
			must(p.t, err)
			_, err = p.VerifyEmail(p.t.Context(), commands.EmailVerification{Realm: proven, User: ann, Code: u.EmailProof.Code})
			must(p.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, o, box, ann, work := startPost(t)
			p.askForCodes(ann, work)
			overtake(p, ann, work)
			o.posts(p)
			o.level()
			if all := box.messages(); len(all) != 0 || o.status().Waiting != 0 {
				t.Errorf("%+v, and %d wait", all, o.status().Waiting)
			}
		})
	}
}

func TestOnlyTheLatestCodeIsSent(t *testing.T) {
	t.Parallel()
	p, o, box, ann, work := startPost(t)
	p.askForCodes(ann, work)
	p.clock.Add(int64(identity.CodePause))
	p.askForCodes(ann, work)
	o.posts(p)
	o.level()
	if all := box.messages(); len(all) != 2 || all[0].To == all[1].To {
		t.Errorf("%+v", all)
	}
}

// A mail server that is away is tried again, and nothing names whom it is about.
func TestACodeIsSentAsSoonAsItCanBe(t *testing.T) {
	t.Parallel()
	p, o, box, ann, work := startPost(t)
	box.turn(true)
	p.askForCodes(ann, work)
	o.posts(p)
	wait.Until(t, "both fail", func() bool { return o.status().Failing == 2 })
	if text := o.status().Oldest[0].Error; text != errShut.Error() {
		t.Error(text)
	}
	box.turn(false)
	p.clock.Add(int64(2 * time.Second))
	wait.Until(t, "both are sent", func() bool { return len(box.messages()) == 2 })
}

func TestAProcessWithoutMailSaysSo(t *testing.T) {
	t.Parallel()
	p, o, _, ann, work := startPost(t)
	p.askForCodes(ann, work)
	p.Mail = nil
	o.posts(p)
	wait.Until(t, "both fail", func() bool { return o.status().Failing == 2 })
	if text := o.status().Oldest[0].Error; !strings.Contains(text, "no mail configured") {
		t.Error(text)
	}
	_, err := p.VerifyContact(t.Context(), verification(ann, p.contact(ann, "other@example.com", false), ""))
	if !errors.Is(err, commands.ErrNoMail) {
		t.Error(err)
	}
}

// Two processes together let no more guesses pass than one does.
func TestACrowdHasFiveGuesses(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		one.Mail = &postbox{}
		ann := one.member("ann@example.com")
		work := one.contact(ann, "work@example.com", false)
		_, err := one.VerifyContact(t.Context(), verification(ann, work, ""))
		must(t, err)
		var refused atomic.Int64
		var all sync.WaitGroup
		for n := range 16 {
			all.Go(func() {
				if _, err := []*population{one, two}[n%2].VerifyContact(t.Context(), verification(ann, work, "22222222")); errors.Is(err, identity.ErrWrongCode) {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		failed := 0
		for _, r := range facts(t, s, "identity.contact") {
			if r.Type == "identity.contact.verification_failed" {
				failed++
			}
		}
		if refused.Load() != 16 || failed != identity.MaxWrongCodes {
			t.Errorf("%d are refused, %d recorded", refused.Load(), failed)
		}
		if _, err := two.VerifyContact(t.Context(), verification(ann, work, one.contactOf(work).Proof.Code)); !errors.Is(err, identity.ErrWrongCode) {
			t.Errorf("the right code after that: %v", err)
		}
	})
}

// Who is forgotten is sent nothing, and what was sent proves nothing.
func TestTheCodeOfWhoIsForgottenIsGone(t *testing.T) {
	t.Parallel()
	p, o, box, ann, work := startPost(t)
	p.askForCodes(ann, work)
	_, err := p.privacy().Forget(t.Context(), privacy.SubjectID(ann))
	must(t, err)
	o.posts(p)
	o.level()
	if all := box.messages(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	u, err := commands.State[identity.User](t.Context(), p.Executor, identity.UserStream(ann))
	must(t, err)
	if u.EmailProof.Code != "" || p.contactOf(work).Proof.Code != "" {
		t.Errorf("%+v %+v", u.EmailProof, p.contactOf(work).Proof)
	}
}
