package commands_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/eventstore/memory"
)

func caller(u identity.UserID) identity.Caller { return identity.Caller{Realm: realm.Name, User: u} }

func named(name string) identity.ProfileDetails { return identity.ProfileDetails{DisplayName: &name} }

func (p *population) introduce(u identity.UserID, name string) identity.Profile {
	p.t.Helper()
	made, err := p.CreateProfile(p.t.Context(), commands.ProfileCreation{By: caller(u), Details: named(name)})
	must(p.t, err)
	return made
}

func TestAUserHasOneProfileUnderARace(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, two *population) {
		ann := one.member("ann@example.com")
		var made atomic.Int64
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				p := []*population{one, two}[n%2]
				_, err := p.CreateProfile(t.Context(), commands.ProfileCreation{By: caller(ann), Details: named("Ann")})
				switch {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, identity.ErrProfileExists):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 {
			t.Errorf("%d profiles were made", made.Load())
		}
	})
}

func TestAProfileThatIsDeletedMakesRoom(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, two *population) {
		ann := one.member("ann@example.com")
		first := one.introduce(ann, "Ann")
		must(t, two.DeleteProfile(t.Context(), commands.OwnProfile{By: caller(ann)}))
		if err := one.DeleteProfile(t.Context(), commands.OwnProfile{By: caller(ann), Profile: first.ID}); !errors.Is(err, identity.ErrProfileNotFound) {
			t.Errorf("it is deleted twice: %v", err)
		}
		if second := one.introduce(ann, "Ann"); second.ID == first.ID || second.User != ann {
			t.Errorf("%+v, then %+v", first, second)
		}
	})
}

func TestNobodyChangesAnothersProfile(t *testing.T) {
	t.Parallel()
	p := populate(t, &memory.Store{})
	ann, bob := p.member("ann@example.com"), p.member("bob@example.com")
	anns := p.introduce(ann, "Ann")
	elsewhere := caller(ann)
	elsewhere.Realm = "other"
	for name, own := range map[string]commands.OwnProfile{
		"another's": {By: caller(bob), Profile: anns.ID}, "none": {By: caller(bob)}, "another realm's": {By: elsewhere, Profile: anns.ID}, "none there": {By: elsewhere},
	} {
		_, err := p.ChangeProfile(t.Context(), commands.ProfileChange{OwnProfile: own, Details: named("Bob")})
		if gone := p.DeleteProfile(t.Context(), own); !errors.Is(err, identity.ErrProfileNotFound) || !errors.Is(gone, identity.ErrProfileNotFound) {
			t.Errorf("%s: %v, %v", name, err, gone)
		}
	}
	is, err := p.ChangeProfile(t.Context(), commands.ProfileChange{OwnProfile: commands.OwnProfile{By: caller(ann)}, Details: named("Ann D.")})
	if err != nil || is.ID != anns.ID || *is.Details.DisplayName != "Ann D." {
		t.Errorf("%+v, %v", is, err)
	}
}

// Who is forgotten has neither profile nor contacts any more, and nobody can read what they said.
func TestWhoIsForgottenHasSaidNothing(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		ann, bob := one.member("ann@example.com"), one.member("bob@example.com")
		profile := two.introduce(ann, "Ann")
		mail := one.contact(ann, "ann.work@example.com", true)
		bobs := two.contact(bob, "bob@example.com", true)
		must(t, one.deactivate(ann)) // Who was put out before leaves as well.

		one.forget(ann)
		for name, p := range map[string]*population{"here": one, "elsewhere": two, "anew": populate(t, s)} {
			gone, err := commands.State[identity.Profile](t.Context(), p.Executor, identity.ProfileStream(profile.ID))
			if err != nil || gone != (identity.Profile{}) {
				t.Errorf("%s the profile is %+v, %v", name, gone, err)
			}
			if c := p.contactOf(mail); c != (identity.Contact{}) {
				t.Errorf("%s the contact is %+v", name, c)
			}
			if c := p.contactOf(bobs); !c.Primary || *c.Details.Email != "bob@example.com" {
				t.Errorf("%s another's contact is %+v", name, c)
			}
			if _, err := p.CreateProfile(t.Context(), commands.ProfileCreation{By: caller(ann), Details: named("Ann")}); !errors.Is(err, domain.ErrForgotten) {
				t.Errorf("%s she has another profile: %v", name, err)
			}
		}
		streams := []domain.Stream{identity.ProfileStream(profile.ID), identity.ContactStream(mail)}
		if claims, err := s.ClaimsOf(t.Context(), streams); err != nil || len(claims) != 0 {
			t.Errorf("claims: %v, %v", claims, err)
		}
		for _, stream := range streams {
			events, err := s.ReadStream(t.Context(), stream, 0, 100)
			must(t, err)
			opened, err := one.Executor.Vault.Decode(t.Context(), events...)
			must(t, err)
			for _, o := range opened {
				switch e := o.Event.(type) {
				case identity.ProfileCreated:
					if e.Details != (identity.ProfileDetails{}) {
						t.Errorf("it still says %+v", e)
					}
				case identity.ContactCreated:
					if e.Details != (identity.ContactDetails{}) {
						t.Errorf("it still says %+v", e)
					}
				}
			}
			if last := events[len(events)-1].Type; !slices.Contains([]string{"privacy.subject.forgotten"}, last) {
				t.Errorf("%s ends with %s", stream, last)
			}
		}
	})
}
