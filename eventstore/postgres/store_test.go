package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
	"gesta/migrations"
)

func TestOpenWantsADatabaseThatIsThere(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Options{URL: "postgres://nobody@127.0.0.1:1/nowhere?connect_timeout=5"})
	if !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("an absent server: %v", err)
	}
	if _, err := Open(t.Context(), Options{URL: "postgres://:::"}); errors.Is(err, eventstore.ErrUnavailable) || err == nil {
		t.Errorf("no URL: %v", err)
	}
	_, err = Open(t.Context(), Options{URL: pgtest.Unmigrated(t)})
	if err == nil || errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("an empty database: %v", err)
	}
}

// While somebody restores the tables they are away, and then they are there again.
func TestTablesThatAreBeingRestored(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s, conn := opened(t, url), connected(t, url)
	wantAppend(t, s, 1)
	for _, sql := range []string{"alter schema gesta rename to gone", "alter schema gone rename to gesta"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		_, err1 := s.Read(t.Context(), 0, 1)
		_, err2 := s.Head(t.Context())
		_, _, err3 := s.Holder(t.Context(), eventstore.Claim{})
		for _, err := range []error{err1, err2, err3} {
			if away := strings.HasSuffix(sql, "gone"); errors.Is(err, eventstore.ErrUnavailable) != away {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	wantAppend(t, s, 2)
}

func TestAnotherSchema(t *testing.T) {
	t.Parallel()
	url := pgtest.Unmigrated(t)
	const schema = "their_truth"
	if err := migrations.Up(t.Context(), url, schema); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{URL: url, Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantAppend(t, s, 1)
	var current string
	if err := s.Pool().QueryRow(t.Context(), "select current_schema()").Scan(&current); err != nil || current != schema {
		t.Errorf("the pool is in %s, %v", current, err)
	}
}

// TestWhatADatabaseSetsChangesNothing opens a store where the defaults would break the history.
func TestWhatADatabaseSetsChangesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	conn := connected(t, url)
	for _, setting := range []string{
		"default_transaction_isolation = 'serializable'", "synchronous_commit = off", "statement_timeout = 1",
		"lock_timeout = 1", "plan_cache_mode = force_custom_plan", "search_path = nowhere",
	} {
		_, err := conn.Exec(t.Context(), `do $$ begin execute format('alter database %I set `+
			strings.ReplaceAll(setting, "'", "''")+`', current_database()); end $$`)
		if err != nil {
			t.Fatal(err)
		}
	}
	a := idle(t, url, nil)
	for name, want := range map[string]string{
		"transaction_isolation": "read committed", "synchronous_commit": "on", "statement_timeout": "0",
		"lock_timeout": "0", "plan_cache_mode": "force_generic_plan", "search_path": `"gesta", "gesta_keys"`,
	} {
		var got string
		if err := a.link.conn.QueryRow(t.Context(), "show "+name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s (%v)", name, got, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s, err := Open(t.Context(), Options{URL: pgtest.Database(t), Metrics: NewMetrics(registry)})
	if err != nil {
		t.Fatal(err)
	}
	stream := someStream()
	wantAppend(t, s, 1)
	for range 2 {
		_, _ = s.Append(t.Context(), someAppend(stream, 0))
	}
	s.Close()
	got := gathered(t, registry)
	for name, want := range map[string]float64{
		"gesta_appends_total committed": 2, "gesta_appends_total conflict": 1,
		"gesta_append_contradictory_batches_total": 1, "gesta_append_queue_length": 0,
		"gesta_append_batch_size": 3, "gesta_append_commit_seconds": 3,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, not %v", name, got[name], want)
		}
	}
}

// gathered is the value of each metric by its name and outcome; of a histogram, how much it has seen.
func gathered(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() +
				float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"committed": nil, "conflict": &eventstore.Conflict{}, "refused": &eventstore.Repeated{},
		"unavailable": late(expired(t)), "failed": errors.ErrUnsupported,
	} {
		if got := outcome(err); got != want {
			t.Errorf("%v is counted as %s", err, got)
		}
	}
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
