package postgres_test

import (
	"testing"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) {
	pgtest.Main(m)
	wait.NoLeaks()
}
