package storetest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/eventstore"
)

var events = []question{
	{"an empty store begins at nothing", func(t *testing.T, s eventstore.Store) {
		h := head(t, s)
		if h.Mark != (eventstore.Mark{}) || !h.RecordedAt.IsZero() || h.Epoch != 1 {
			t.Errorf("its head is %+v", h)
		}
		if r := history(t, s); len(r) != 0 {
			t.Errorf("it holds %d events", len(r))
		}
	}},
	{"positions are dense and begin at 1", func(t *testing.T, s eventstore.Store) {
		a, b := newStream(), newStream()
		for i, want := range []eventstore.Receipt{{First: 1, Last: 1}, {First: 2, Last: 4}, {First: 5, Last: 8}} {
			r := commit(t, s, []eventstore.Append{
				of(write(a, 0, 1)), of(write(b, 0, 3)), of(write(a, 1, 2), write(b, 3, 2)),
			}[i])
			if r.RecordedAt.IsZero() || r.First != want.First || r.Last != want.Last {
				t.Errorf("append %d stands at %+v", i, r)
			}
		}
		for i, e := range history(t, s) {
			if e.Position != int64(i)+1 {
				t.Errorf("event %d stands at %d", i+1, e.Position)
			}
		}
	}},
	{"events come back as they were given", func(t *testing.T, s eventstore.Store) {
		w := write(newStream(), 0, 2)
		w.Events[0].Secret = json.RawMessage(`{"password":"x"}`)
		w.Events[1].Schema = 7
		r := commit(t, s, of(w))
		var want []eventstore.Recorded
		for i, e := range w.Events {
			e.OccurredAt = e.OccurredAt.UTC().Truncate(time.Microsecond)
			want = append(want, eventstore.Recorded{
				NewEvent: e, Position: int64(i) + 1, Stream: w.Stream, Version: int64(i) + 1, RecordedAt: r.RecordedAt,
			})
		}
		if diff := cmp.Diff(want, history(t, s)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, past(t, s, w.Stream)); diff != "" {
			t.Error(diff)
		}
	}},
	{"JSON is kept byte for byte", func(t *testing.T, s eventstore.Store) {
		for _, text := range []string{
			" {\t\"b\" : 1,\n\"a\":2, \"a\":3}\r\n ", `{"n":1.0e+00,"big":123456789012345678901234567890.10}`,
			`"\u0000 \ud800 \/ é \u00e9 <&>"`, `null`, `[[],{},"",-0,1E400]`, `{"":"` + strings.Repeat("é", 1000) + `"}`,
		} {
			w := write(newStream(), 0, 1)
			e := &w.Events[0]
			e.Data, e.Secret, e.Meta = []byte(text), []byte(text), []byte(text)
			commit(t, s, of(w))
			got := past(t, s, w.Stream)[0]
			for _, part := range [][]byte{got.Data, got.Secret, got.Meta} {
				if string(part) != text {
					t.Errorf("%q came back as %q", text, part)
				}
			}
		}
	}},
	{"no secret is nil", func(t *testing.T, s eventstore.Store) {
		w := write(newStream(), 0, 1)
		commit(t, s, of(w))
		if got := past(t, s, w.Stream)[0]; got.Secret != nil {
			t.Errorf("it is %q", got.Secret)
		}
	}},
	{"times are UTC in microseconds", func(t *testing.T, s eventstore.Store) {
		east := time.FixedZone("east", 5*3600)
		for _, at := range []time.Time{
			time.Date(1, 1, 1, 0, 0, 0, 1999, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
			time.Date(2026, 3, 1, 4, 5, 6, 123_456_789, east), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		} {
			w := write(newStream(), 0, 1)
			w.Events[0].OccurredAt = at
			commit(t, s, of(w))
			got := past(t, s, w.Stream)[0]
			if want := at.UTC().Truncate(time.Microsecond); got.OccurredAt != want {
				t.Errorf("%v came back as %v", at, got.OccurredAt)
			}
			if got.RecordedAt != got.RecordedAt.UTC().Truncate(time.Microsecond) {
				t.Errorf("it was recorded at %v", got.RecordedAt)
			}
		}
	}},
	{"the store's clock never goes back", func(t *testing.T, s eventstore.Store) {
		var last eventstore.Receipt
		for range 50 {
			r := commit(t, s, of(write(newStream(), 0, 2)))
			if r.RecordedAt.Before(last.RecordedAt) {
				t.Fatalf("%v after %v", r, last)
			}
			last = r
		}
		if h := head(t, s); h.Position != last.Last || h.RecordedAt != last.RecordedAt {
			t.Errorf("the head is %+v after %+v", h, last)
		}
	}},
	{"what the caller writes over later changes nothing", func(t *testing.T, s eventstore.Store) {
		w := write(newStream(), 0, 1)
		kept := bytes.Clone(w.Events[0].Data)
		commit(t, s, of(w))
		copy(w.Events[0].Data, `{"mark":9}`)
		if got := past(t, s, w.Stream)[0].Data; !bytes.Equal(got, kept) {
			t.Errorf("%s became %s", kept, got)
		}
	}},
	{"the head is the last event", func(t *testing.T, s eventstore.Store) {
		w := write(newStream(), 0, 3)
		commit(t, s, of(w))
		last := history(t, s)[2]
		if h := head(t, s); h.Mark != last.Mark() || h.Event != w.Events[2].ID || h.RecordedAt != last.RecordedAt {
			t.Errorf("the head is %+v", h)
		}
	}},
}
