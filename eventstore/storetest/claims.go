package storetest

import (
	"slices"
	"testing"

	"gesta/domain"
	"gesta/eventstore"
)

// taking and releasing are a write of one event and a claim.
func taking(s domain.Stream, expect int64, claims ...eventstore.Claim) eventstore.Write {
	w := write(s, expect, 1)
	w.Take = claims
	return w
}

func releasing(s domain.Stream, expect int64, claims ...eventstore.Claim) eventstore.Write {
	w := write(s, expect, 1)
	w.Release = claims
	return w
}

// taken appends what must be refused because another stream holds the claim.
func taken(t *testing.T, s eventstore.Store, a eventstore.Append, want eventstore.ClaimTaken) {
	t.Helper()
	if got := refuse[*eventstore.ClaimTaken](t, s, a); *got != want {
		t.Fatalf("refused with %+v, not %+v", *got, want)
	}
}

var claims = []question{
	{"a claim has one holder until it is released", func(t *testing.T, s eventstore.Store) {
		a, b, c := newStream(), newStream(), newClaim()
		holds(t, s, c, domain.Stream{})
		commit(t, s, of(taking(a, 0, c)))
		holds(t, s, c, a)
		taken(t, s, of(taking(b, 0, c)), eventstore.ClaimTaken{Claim: c, Holder: a})
		holds(t, s, c, a)
		commit(t, s, of(releasing(a, 1, c)))
		holds(t, s, c, domain.Stream{})
		commit(t, s, of(taking(b, 0, c)))
		holds(t, s, c, b)
	}},
	{"a claim can't be taken again by its holder", func(t *testing.T, s eventstore.Store) {
		a, c := newStream(), newClaim()
		commit(t, s, of(taking(a, 0, c)))
		taken(t, s, of(taking(a, 1, c)), eventstore.ClaimTaken{Claim: c, Holder: a})
	}},
	{"a claim can't be taken twice in one append", func(t *testing.T, s eventstore.Store) {
		a, b, c := newStream(), newStream(), newClaim()
		taken(t, s, of(taking(a, 0, c, c)), eventstore.ClaimTaken{Claim: c, Holder: a})
		taken(t, s, of(taking(a, 0, c), taking(b, 0, c)), eventstore.ClaimTaken{Claim: c, Holder: a})
		holds(t, s, c, domain.Stream{})
	}},
	{"one append hands a claim over", func(t *testing.T, s eventstore.Store) {
		a, b, c := newStream(), newStream(), newClaim()
		commit(t, s, of(taking(a, 0, c)))
		commit(t, s, of(taking(b, 0, c), releasing(a, 1, c)))
		holds(t, s, c, b)
		commit(t, s, of(releasing(b, 1, c), taking(a, 2, c)))
		holds(t, s, c, a)
	}},
	{"one stream releases and takes a claim at once", func(t *testing.T, s eventstore.Store) {
		a, c := newStream(), newClaim()
		commit(t, s, of(taking(a, 0, c)))
		w := taking(a, 1, c)
		w.Release = []eventstore.Claim{c}
		commit(t, s, of(w))
		holds(t, s, c, a)
	}},
	{"releasing what another holds changes nothing", func(t *testing.T, s eventstore.Store) {
		a, b, c := newStream(), newStream(), newClaim()
		commit(t, s, of(releasing(b, 0, c)))
		commit(t, s, of(taking(a, 0, c)))
		commit(t, s, of(releasing(b, 1, c, newClaim())))
		holds(t, s, c, a)
		taken(t, s, of(taking(newStream(), 0, c), releasing(b, 2, c)), eventstore.ClaimTaken{Claim: c, Holder: a})
	}},
	{"claims are taken with the append or not at all", func(t *testing.T, s eventstore.Store) {
		a, b, c, d := newStream(), newStream(), newClaim(), newClaim()
		commit(t, s, of(taking(a, 0, c)))
		taken(t, s, of(taking(b, 0, d, c)), eventstore.ClaimTaken{Claim: c, Holder: a})
		holds(t, s, d, domain.Stream{})
		conflict(t, s, of(releasing(a, 0, c)), eventstore.Conflict{Stream: a, Actual: 1})
		holds(t, s, c, a)
	}},
	{"a claim without an event needs the version alone", func(t *testing.T, s eventstore.Store) {
		a, c := newStream(), newClaim()
		commit(t, s, of(write(a, 0, 2)))
		w := eventstore.Write{Stream: a, Expect: 2, Take: []eventstore.Claim{c}}
		commit(t, s, of(w))
		holds(t, s, c, a)
		w.Expect, w.Take, w.Release = 1, nil, w.Take
		conflict(t, s, of(w), eventstore.Conflict{Stream: a, Expected: 1, Actual: 2})
		holds(t, s, c, a)
	}},
	{"names are claimed within a scope", func(t *testing.T, s eventstore.Store) {
		a, b, c := newStream(), newStream(), newClaim()
		other := eventstore.Claim{Scope: newHash(), Name: c.Name}
		commit(t, s, of(taking(a, 0, c)))
		commit(t, s, of(taking(b, 0, other)))
		holds(t, s, c, a)
		holds(t, s, other, b)
	}},
	{"the holders in a scope come in the order of streams, each once", func(t *testing.T, s eventstore.Store) {
		scope := newHash()
		want := []domain.Stream{newStream(), newStream(), newStream(), newStream()}
		want[2] = domain.Stream{Kind: "exam.Paper", ID: want[1].ID} // the case tells collations apart
		want[3] = domain.Stream{Kind: "exam.board", ID: want[1].ID}
		for i, stream := range want {
			first := eventstore.Claim{Scope: scope, Name: newHash()}
			commit(t, s, of(taking(stream, 0, first, eventstore.Claim{Scope: scope, Name: newHash()})))
			want[i] = stream
		}
		commit(t, s, of(taking(newStream(), 0, newClaim())))
		slices.SortFunc(want, domain.Stream.Compare)
		if got := must(s.Holders(t.Context(), scope))(t); !slices.Equal(got, want) {
			t.Errorf("%v, not %v", got, want)
		}
		if got := must(s.Holders(t.Context(), newHash()))(t); len(got) != 0 {
			t.Errorf("nobody is %v", got)
		}
	}},
}
