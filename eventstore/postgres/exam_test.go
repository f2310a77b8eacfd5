package postgres

import (
	"testing"
	"time"

	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/storetest"
)

// opened is a store on a new database, in the name of a login that may do no more than the app.
func opened(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestExam(t *testing.T) {
	storetest.Run(t, func(t *testing.T) eventstore.Store {
		return opened(t, pgtest.AppLogin(t, pgtest.Database(t)))
	})
}

// TestExamJudged sits the exam on the path that judges every append.
func TestExamJudged(t *testing.T) {
	storetest.Run(t, func(t *testing.T) eventstore.Store {
		s := opened(t, pgtest.AppLogin(t, pgtest.Database(t)))
		s.appender.judgeUntil = time.Now().Add(time.Hour)
		return s
	})
}
