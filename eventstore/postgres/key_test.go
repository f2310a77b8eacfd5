package postgres_test

import (
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
	for range 2 {
		if err := s.CheckKey(t.Context(), []byte("first")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CheckKey(t.Context(), []byte("second")); !errors.Is(err, postgres.ErrOtherKey) {
		t.Errorf("another key: %v", err)
	}
}
