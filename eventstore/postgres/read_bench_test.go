package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

// page is how much a follower reads at once.
const page = 1000

// BenchmarkRead reads a history in order, page by page.
func BenchmarkRead(b *testing.B) {
	s := filled(b)
	b.ResetTimer()
	for read := 0; read < b.N; {
		for after := int64(0); read < b.N; {
			events, err := s.Read(b.Context(), after, page)
			if err != nil {
				b.Fatal(err)
			}
			if len(events) == 0 {
				break
			}
			after = events[len(events)-1].Position
			read += len(events)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkScan is one statement over the same history, whose rows are scanned into the same variables.
func BenchmarkScan(b *testing.B) {
	s := filled(b)
	b.ResetTimer()
	for read := 0; read < b.N; {
		rows, err := s.Pool().Query(b.Context(), "select * from events order by position")
		if err != nil {
			b.Fatal(err)
		}
		var position, version int64
		var kind, typ string
		var stream, event [16]byte
		var schema int
		var data, secret, meta []byte
		var occurred, recorded time.Time
		into := []any{&position, &kind, &stream, &version, &event, &typ, &schema, &data, &secret, &meta, &occurred, &recorded}
		if _, err := pgx.ForEachRow(rows, into, func() error { read++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// filled is a store of a hundred pages.
func filled(b *testing.B) *postgres.Store {
	s := benchStore(b)
	w := &writer{}
	for range 100 {
		var a eventstore.Append
		for range page {
			write := w.next()
			if n := len(a.Writes); n > 0 && a.Writes[n-1].Stream == write.Stream {
				a.Writes[n-1].Events = append(a.Writes[n-1].Events, write.Events...)
			} else {
				a.Writes = append(a.Writes, write)
			}
		}
		if _, err := s.Append(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
	return s
}
