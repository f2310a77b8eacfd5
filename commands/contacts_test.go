package commands_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"
)

func byMail(u identity.UserID, address string, primary bool) commands.ContactCreation {
	label, email := "Work", value.Email(address)
	return commands.ContactCreation{
		By: caller(u), Type: identity.EmailContact, Primary: primary, Details: identity.ContactDetails{Label: &label, Email: &email},
	}
}

func (p *population) contact(u identity.UserID, address string, primary bool) identity.ContactID {
	p.t.Helper()
	c, err := p.CreateContact(p.t.Context(), byMail(u, address, primary))
	must(p.t, err)
	return c.ID
}

func (p *population) contactOf(c identity.ContactID) identity.Contact {
	p.t.Helper()
	s, err := commands.State[identity.Contact](p.t.Context(), p.Executor, identity.ContactStream(c))
	must(p.t, err)
	return s
}

// primaries are those of the contacts that are primary ones, as the store tells; the claim is held by the same.
func (p *population) primaries(u identity.UserID, all []identity.ContactID) (primaries []identity.ContactID) {
	p.t.Helper()
	for _, c := range all {
		if p.contactOf(c).Primary {
			primaries = append(primaries, c)
		}
	}
	s, held, err := p.Executor.Holder(p.t.Context(), identity.PrimaryContactClaim(u, identity.EmailContact))
	if err != nil || held != (len(primaries) > 0) || held && s.ID != primaries[0].ID {
		p.t.Errorf("the place is %v's (%t), %v; primary are %v", s, held, err, primaries)
	}
	return primaries
}

func TestAPrimaryContactGivesWayToAnother(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, two *population) {
		ann, bob := one.member("ann@example.com"), one.member("bob@example.com")
		first, second := one.contact(ann, "first@example.com", true), two.contact(ann, "second@example.com", true)
		bobs := one.contact(bob, "bob@example.com", true)
		all := []identity.ContactID{first, second}
		if got := one.primaries(ann, all); len(got) != 1 || got[0] != second {
			t.Errorf("primary are %v", got)
		}
		for range 2 { // The second time there is nothing to do.
			c, err := one.MakePrimary(t.Context(), commands.OwnContact{By: caller(ann), Contact: first})
			if got := two.primaries(ann, all); err != nil || !c.Primary || len(got) != 1 || got[0] != first {
				t.Errorf("primary are %v: %+v, %v", got, c, err)
			}
		}
		no := false
		_, err := two.ChangeContact(t.Context(), commands.ContactChange{OwnContact: commands.OwnContact{By: caller(ann), Contact: first}, Primary: &no})
		if got := one.primaries(ann, all); err != nil || len(got) != 0 {
			t.Errorf("primary are %v, %v", got, err)
		}
		if !one.contactOf(bobs).Primary {
			t.Error("another's contact gave way")
		}
	})
}

// However many contacts are made primary at once, each request succeeds and one of them is primary then: also when
// none was before.
func TestOneContactIsPrimaryUnderARace(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, two *population) {
		ann := one.member("ann@example.com")
		var contacts []identity.ContactID
		for n := range 6 {
			contacts = append(contacts, one.contact(ann, fmt.Sprintf("ann%d@example.com", n), false))
		}
		var mu sync.Mutex
		for round := range 3 {
			var all sync.WaitGroup
			for n, c := range contacts[:5] {
				all.Go(func() {
					p := []*population{one, two}[n%2]
					if _, err := p.MakePrimary(t.Context(), commands.OwnContact{By: caller(ann), Contact: c}); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			all.Go(func() {
				c, err := two.CreateContact(t.Context(), byMail(ann, "new@example.com", true))
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
				mu.Lock()
				defer mu.Unlock()
				contacts = append(contacts, c.ID)
			})
			all.Wait()
			got := one.primaries(ann, contacts)
			if len(got) != 1 {
				t.Fatalf("round %d: primary are %v", round, got)
			}
			if round == 1 {
				must(t, one.DeleteContact(t.Context(), commands.OwnContact{By: caller(ann), Contact: got[0]}))
				contacts = slices.DeleteFunc(contacts, func(c identity.ContactID) bool { return c == got[0] })
			}
		}
	})
}

// Both have decided before either is written.
func TestTwoContactsBecomePrimaryAtOnce(t *testing.T) {
	t.Parallel()
	store := &meeting{Store: &memory.Store{}}
	one, two := populate(t, store), populate(t, store)
	ann := one.member("ann@example.com")
	contacts := []identity.ContactID{one.contact(ann, "a@example.com", false), one.contact(ann, "b@example.com", false)}
	for _, when := range []string{"none was before", "one of them was before"} {
		var all sync.WaitGroup
		store.next(2)
		for n, c := range contacts {
			all.Go(func() {
				p := []*population{one, two}[n]
				if when == "none was before" {
					_, err := p.MakePrimary(t.Context(), commands.OwnContact{By: caller(ann), Contact: c})
					must(t, err)
					return
				}
				p.contact(ann, "new@example.com", true)
			})
		}
		all.Wait()
		holders, err := one.Executor.Holders(t.Context(), identity.ContactScope(ann))
		must(t, err)
		var every []identity.ContactID
		for _, s := range holders {
			every = append(every, identity.ContactID{ID: s.ID})
		}
		if got := two.primaries(ann, every); len(got) != 1 {
			t.Errorf("%s: primary are %v", when, got)
		}
	}
}

func TestNobodyChangesAnothersContact(t *testing.T) {
	t.Parallel()
	p := populate(t, &memory.Store{})
	ann, bob := p.member("ann@example.com"), p.member("bob@example.com")
	own := commands.OwnContact{By: caller(bob), Contact: p.contact(ann, "ann@example.com", false)}
	_, changed := p.ChangeContact(t.Context(), commands.ContactChange{OwnContact: own})
	_, verified := p.VerifyContact(t.Context(), commands.ContactVerification{OwnContact: own})
	_, shown := p.ContactVerified(t.Context(), commands.ContactVerification{OwnContact: own}, commands.Made{})
	_, first := p.MakePrimary(t.Context(), own)
	for _, err := range []error{changed, verified, shown, first, p.DeleteContact(t.Context(), own)} {
		if !errors.Is(err, identity.ErrContactNotFound) {
			t.Error(err)
		}
	}
}

func TestThereAreOnlySoManyContacts(t *testing.T) {
	t.Parallel()
	p := populate(t, &memory.Store{})
	ann := p.member("ann@example.com")
	var last identity.ContactID
	for range identity.MaxContacts {
		last = p.contact(ann, "ann@example.com", false)
	}
	if _, err := p.CreateContact(t.Context(), byMail(ann, "ann@example.com", false)); !errors.Is(err, identity.ErrManyContacts) {
		t.Error(err)
	}
	must(t, p.DeleteContact(t.Context(), commands.OwnContact{By: caller(ann), Contact: last}))
	p.contact(ann, "ann@example.com", false)
}

func TestAContactThatWasMadeIsFoundAmongThoseThatGaveWay(t *testing.T) {
	t.Parallel()
	first, second := identity.ContactStream(identity.ContactID{ID: [16]byte{1}}), identity.ContactStream(identity.ContactID{ID: [16]byte{2}})
	made := commands.Made{Streams: []commands.Revision{{Stream: first, Version: 3}, {Stream: second, Version: 2}, {Stream: domain.Stream{Kind: "x"}, Version: 1}}}
	if got := made.Last("identity.contact"); got != made.Streams[1] {
		t.Errorf("%v", got)
	}
}
