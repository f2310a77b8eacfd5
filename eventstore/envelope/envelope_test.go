package envelope_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
	"gesta/eventstore/wait"
)

// UPDATE_GOLDEN=1 writes the golden files anew.
var update = os.Getenv("UPDATE_GOLDEN") != ""

func TestMain(m *testing.M) {
	m.Run()
	wait.NoLeaks()
}

func registered() eventstore.Recorded {
	return eventstore.Recorded{
		NewEvent: eventstore.NewEvent{
			ID:         id.Event{ID: id.Named("event")},
			Type:       "identity.user.registered",
			Schema:     1,
			Data:       json.RawMessage(`{"email":"ada@example.com","name":"Ada"}`),
			Meta:       json.RawMessage(`{"realm":"accounts"}`),
			OccurredAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		},
		Position:   41,
		Stream:     domain.Stream{Kind: "identity.user", ID: id.Named("user")},
		Version:    1,
		RecordedAt: time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC),
	}
}

func with(change func(*eventstore.Recorded)) eventstore.Recorded {
	r := registered()
	change(&r)
	return r
}

func metadata(m domain.Meta) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// events are what the golden files hold, by file name.
var events = map[string]eventstore.Recorded{
	"least": registered(),
	"full": with(func(r *eventstore.Recorded) {
		r.Secret = json.RawMessage(`{"password":"$2a$10$"}`)
		r.Meta = metadata(domain.Meta{
			Actor: "user/01JQ", Realm: "accounts", Surface: "accounts", Request: "req-1", ClientRequest: "theirs",
			Correlation: "corr-1", Causation: "01JQCAUSE",
			Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		})
	}),
	"realm_within": with(func(r *eventstore.Recorded) {
		r.Meta = metadata(domain.Meta{Realm: "coppertone/01JQPROJECT", Actor: "system"})
	}),
	"realm_unfit":  with(func(r *eventstore.Recorded) { r.Meta = metadata(domain.Meta{Realm: "a b.*>\"é"}) }),
	"realm_none":   with(func(r *eventstore.Recorded) { r.Meta = json.RawMessage(`{}`) }),
	"realm_house":  with(func(r *eventstore.Recorded) { r.Meta = metadata(domain.Meta{Realm: "gesta"}) }),
	"no_metadata":  with(func(r *eventstore.Recorded) { r.Meta = json.RawMessage(`["not","metadata"]`) }),
	"data_as_kept": with(func(r *eventstore.Recorded) { r.Data = json.RawMessage(`{ "b" : 1.0,"a":"<&>é\u00e9" , "a":null}`) }),
	"odd_names": with(func(r *eventstore.Recorded) {
		r.Type, r.Stream.Kind, r.Schema = "a*..>é\"", `kind/with/"slashes"`, 12
		r.Position, r.Version = 1<<62, 1<<40
	}),
}

// text spells a message out, so that a golden file can be read.
func text(m *nats.Msg) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(m.Header[name], ", "))
	}
	fmt.Fprintf(&b, "\n%s\n", m.Data)
	return b.Bytes()
}

func TestPublishedFormIsForEver(t *testing.T) {
	for name, r := range events {
		t.Run(name, func(t *testing.T) {
			got, file := text(envelope.Message(r, 1)), filepath.Join("testdata", name+".golden")
			if update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Error(cmp.Diff(string(want), string(got)))
			}
		})
	}
}

func TestMessageIsMadeOfItsParts(t *testing.T) {
	r := events["full"]
	want := &nats.Msg{
		Subject: envelope.Subject(r), Header: envelope.Headers(r, 3), Data: envelope.Encode(r, 3),
	}
	if diff := cmp.Diff(text(want), text(envelope.Message(r, 3))); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeReadsWhatIsPublished(t *testing.T) {
	for name, r := range events {
		t.Run(name, func(t *testing.T) {
			got, epoch, err := envelope.Decode(envelope.Encode(r, 7))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(envelope.Published(r), got); diff != "" || epoch != 7 {
				t.Errorf("epoch %d\n%s", epoch, diff)
			}
		})
	}
}

func TestDataIsCopiedByteForByte(t *testing.T) {
	got, _, err := envelope.Decode(envelope.Encode(events["data_as_kept"], 1))
	if err != nil {
		t.Fatal(err)
	}
	if want := string(events["data_as_kept"].Data); string(got.Data) != want {
		t.Errorf("got %s, want %s", got.Data, want)
	}
}

func TestSecretsStayInTheStore(t *testing.T) {
	full := events["full"]
	if bytes.Contains(envelope.Encode(full, 1), []byte("password")) || envelope.Published(full).Secret != nil {
		t.Error("a secret is published")
	}
}

func TestDecodeRefusesWhatIsNoEnvelope(t *testing.T) {
	whole := string(envelope.Encode(events["full"], 1))
	for name, change := range map[string][2]string{
		"another version of CloudEvents": {`"specversion":"1.0"`, `"specversion":"0.3"`},
		"no id":                          {`"id":`, `"xd":`},
		"an id that is none":             {`"id":"`, `"id":"!`},
		"a source that is not ours":      {`"source":"/gesta/`, `"source":"/else/`},
		"a source with dots":             {`"source":"/gesta/`, `"source":"/gesta/..`},
		"a subject without id":           {`"subject":"identity.user/`, `"subject":"identity.user`},
		"a schema of another type":       {`/docs/schemas/identity`, `/docs/schemas/else`},
		"schema 0":                       {`registered/1"`, `registered/0"`},
		"a position that is a number":    {`"position":"41"`, `"position":41`},
		"position 0":                     {`"position":"41"`, `"position":"0"`},
		"no version":                     {`"version":"1"`, `"version":""`},
		"epoch in words":                 {`"epoch":"1"`, `"epoch":"one"`},
		"a time beyond the calendar":     {`"time":"2026-03-04T05:06:07Z"`, `"time":"9999-12-31T23:59:59-01:00"`},
		"no time of record":              {`"recordedat"`, `"else"`},
		"no data":                        {`"data"`, `"datum"`},
		"half of it":                     {`"data":`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(whole, change[0], change[1], 1)
			if broken == whole {
				t.Fatal("nothing was changed")
			}
			if r, _, err := envelope.Decode([]byte(broken)); !errors.Is(err, envelope.ErrMalformed) {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

func TestEveryEventComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawEvent(t)
		got, _, err := envelope.Decode(envelope.Encode(r, 1))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(envelope.Published(r), got); diff != "" {
			t.Error(diff)
		}
		if s := envelope.Subject(r); strings.ContainsAny(s, " *>\t\r\n") || strings.Contains(s, "..") {
			t.Errorf("subject %q", s)
		}
	})
}

func drawEvent(t *rapid.T) eventstore.Recorded {
	micros := rapid.Int64Range(0, 4e15)
	return with(func(r *eventstore.Recorded) {
		r.Type = rapid.StringN(1, 40, -1).Draw(t, "type")
		r.Stream.Kind = rapid.StringN(1, 40, -1).Draw(t, "kind")
		r.Data, _ = json.Marshal(rapid.String().Draw(t, "data"))
		r.Schema = rapid.IntRange(1, 99).Draw(t, "schema")
		r.Position = rapid.Int64Min(1).Draw(t, "position")
		r.Version = rapid.Int64Min(1).Draw(t, "version")
		r.OccurredAt = time.UnixMicro(micros.Draw(t, "occurred")).UTC()
		r.RecordedAt = time.UnixMicro(micros.Draw(t, "recorded")).UTC()
		r.Meta = metadata(domain.Meta{
			Actor: rapid.String().Draw(t, "actor"), Realm: rapid.String().Draw(t, "realm"),
			Correlation: rapid.String().Draw(t, "correlation"), Surface: rapid.String().Draw(t, "surface"),
		})
	})
}

// FuzzDecode holds that whatever Decode takes means the same once it is written again.
func FuzzDecode(f *testing.F) {
	for _, r := range events {
		f.Add(envelope.Encode(r, 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, epoch, err := envelope.Decode(b)
		if err != nil {
			return
		}
		second, again, err := envelope.Decode(envelope.Encode(first, epoch))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" || epoch != again {
			t.Error(diff)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	r := events["full"]
	for b.Loop() {
		envelope.Message(r, 1)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := envelope.Encode(events["full"], 1)
	for b.Loop() {
		if _, _, err := envelope.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublished(b *testing.B) {
	r := events["full"]
	for b.Loop() {
		envelope.Published(r)
	}
}
