package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"gesta/eventstore/postgres/pgtest"
)

// The packages that are tested beside this one keep the server so busy that an ordinary read may take longer.
func init() { acquireTime = 5 * time.Second }

// TestNobodyWaitsLongForAConnection holds all of a pool's, and asks with a context that never ends.
func TestNobodyWaitsLongForAConnection(t *testing.T) {
	t.Parallel()
	s := opened(t, pgtest.Database(t))
	for range s.Pool().Config().MaxConns {
		conn, err := s.Pool().Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
	begin := time.Now()
	_, err := s.Head(context.Background())
	wantUnavailable(t, answer{err: err})
	if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took > 2*acquireTime {
		t.Errorf("%v after %v", err, took)
	}
}
