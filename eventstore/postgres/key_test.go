package postgres_test

import (
	"context"
	"errors"
	"testing"

	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
)

func TestAStoreKeepsTheKeyItWasBegunWith(t *testing.T) {
	t.Parallel()
	s, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.AppLogin(t, pgtest.Database(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CompareKey(t.Context(), []byte("any")); err != nil {
		t.Errorf("before it was begun: %v", err)
	}
	for range 2 {
		if err := s.CheckKey(t.Context(), []byte("first")); err != nil {
			t.Fatal(err)
		}
	}
	for _, check := range []func(context.Context, []byte) error{s.CheckKey, s.CompareKey} {
		if err := check(t.Context(), []byte("second")); !errors.Is(err, postgres.ErrOtherKey) {
			t.Errorf("another key: %v", err)
		}
	}
}
