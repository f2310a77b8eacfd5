package domain_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
)

// paid was first written without a currency, and with its token as a plain field.
type (
	paid struct {
		Cents    int    `json:"cents" privacy:"public"`
		Currency string `json:"currency" privacy:"public"`
		Token    string `json:"token" privacy:"secret"`
	}
	paidV1 struct {
		Amount int    `json:"amount" privacy:"public"`
		Token  string `json:"token" privacy:"secret"`
	}
)

func (paid) EventType() string { return "billing.invoice.paid" }

var paidType = domain.TypeOf[paid](domain.From(func(old paidV1) paid {
	return paid{Cents: old.Amount * 100, Currency: "EUR", Token: old.Token}
}))

func TestAnOldSchemaIsReadAsTodays(t *testing.T) {
	c := domain.NewCatalogue([]domain.Type{paidType})
	want := paid{Cents: 700, Currency: "EUR", Token: "t"}
	for schema, text := range map[int]string{
		1: `{"amount":7}`,
		2: `{"cents":700,"currency":"EUR"}`,
	} {
		got, err := c.Decode("billing.invoice.paid", schema, []byte(text), []byte(`{"token":"t"}`), locked{})
		if diff := cmp.Diff(domain.Event(want), got); err != nil || diff != "" {
			t.Errorf("schema %d: %v\n%s", schema, err, diff)
		}
	}
	if enc, err := c.Encode(want, locked{}); err != nil || enc.Schema != 2 {
		t.Errorf("written as schema %d, %v", enc.Schema, err)
	}
}

func TestASecretIsNotReadFromThePublishedPart(t *testing.T) {
	c := domain.NewCatalogue([]domain.Type{paidType})
	e, err := c.Decode("billing.invoice.paid", 2, []byte(`{"cents":1,"token":"forged"}`), nil, locked{})
	if err != nil || e.(paid).Token != "" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestAnErrorSaysNothingOfWhatTheDataSays(t *testing.T) {
	c := domain.NewCatalogue([]domain.Type{paidType})
	for schema, want := range map[int]string{
		1: "data is no billing.invoice.paid of schema 1 in field amount",
		2: "data is no billing.invoice.paid of schema 2",
	} {
		data := map[int]string{1: `{"amount":47.11}`, 2: `4711`}[schema]
		if _, err := c.Decode("billing.invoice.paid", schema, []byte(data), nil, locked{}); err == nil || err.Error() != want {
			t.Errorf("schema %d: %v", schema, err)
		}
	}
}

func TestATypeIsListedOnce(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the same name twice did not panic")
		}
	}()
	domain.NewCatalogue([]domain.Type{paidType}, []domain.Type{paidType})
}

type holder []domain.Claim

func (h holder) Claims() []domain.Claim  { return slices.Clone(h) }
func (holder) Refuse(domain.Claim) error { return nil }

func TestClaimChangesAreTheDifference(t *testing.T) {
	a, b, c := domain.Claim{Scope: "s", Name: "a"}, domain.Claim{Scope: "s", Name: "b"}, domain.Claim{Scope: "s", Name: "c"}
	take, release := domain.ClaimChanges(holder{a, b}, holder{b, c})
	if diff := cmp.Diff([]domain.Claim{c}, take); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]domain.Claim{a}, release); diff != "" {
		t.Error(diff)
	}
}

// tally is folded by somebody who does not know its type.
type tally struct{ Cents int }

func (t tally) Evolve(e domain.Event, _ time.Time) tally { return tally{t.Cents + e.(paid).Cents} }

func (tally) Show() any { return nil }

func TestAnyStreamCanBeFolded(t *testing.T) {
	a := domain.NewAggregates([]domain.Aggregate{domain.AggregateOf[tally]("billing.invoice")})["billing.invoice"]
	state := a.Zero
	for _, cents := range []int{3, 4} {
		state = a.Evolve(state, paid{Cents: cents}, time.Time{})
	}
	if state != (tally{7}) || a.Zero != (tally{}) || len(domain.ClaimsOf(state)) != 0 {
		t.Errorf("%v from %v", state, a.Zero)
	}
}

func TestAnAggregateIsListedOnce(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the same kind twice did not panic")
		}
	}()
	one := []domain.Aggregate{domain.AggregateOf[tally]("billing.invoice")}
	domain.NewAggregates(one, one)
}
