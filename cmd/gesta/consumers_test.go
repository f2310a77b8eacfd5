package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
	"gesta/eventstore/relay/natsembed"
	"gesta/eventstore/wait"
)

// Beside a `gesta dev`, without credentials of NATS: the README's programs follow and decrypt, and whatever a consumer
// has pushed where hints are heard changes nothing.
func TestConsumersOfDev(t *testing.T) {
	t.Parallel()
	env := []string{"GESTA_DATA=" + filepath.Join(t.TempDir(), "data")}
	d := startDev(t, env)
	decrypting := d.decrypt(t)
	following := follow(t, d.nats)
	ann := d.expect(201, "POST", "/users", "", registration("ann@example.com"))
	wait.Until(t, "an address is decrypted", func() bool {
		return strings.Contains(decrypting.said(), ulid(t, ann.field("id"))+" ann@example.com <nil>\n")
	})
	for _, place := range []string{envelope.HintAppended, envelope.HintProjected} {
		pushTo(t, d.nats, place)
	}
	for n := range 20 {
		bob := d.expect(201, "POST", "/users", "", registration(fmt.Sprintf("bob%d@example.com", n)))
		if pending := bob.header.Get("X-Read-Model"); pending != "" {
			t.Errorf("read models are %s", pending)
		}
	}
	says(t, env, "; 0 findings", "verify")
	head := strings.Count(mustGesta(t, env, "events", "export"), "\n")
	following.has(uint64(head))
	d.stop()
	says(t, env, "stream: messages up to position", "verify", "--only", "stream")
}

// decrypt runs the README's program for who may have keys, with the demo's decryptor.
func (d dev) decrypt(t *testing.T) *process {
	t.Helper()
	login := d.expect(201, "POST", "/audit/v1/sessions", "", map[string]string{
		"email": "decryptor@demo.gesta.example", "password": demoPasswords["audit"],
	})
	program := readmeProgram(t, "decrypt", d.nats, "http://localhost:8080", d.base)
	return startProgram(t, program, t.TempDir(), "TOKEN="+login.field("access_token"))
}

// pushTo has all events pushed to a place, and a heartbeat ten times a second, until the test ends.
func pushTo(t *testing.T, natsURL, place string) {
	t.Helper()
	nc, err := nats.Connect(natsURL, nats.CustomInboxPrefix(natsembed.ConsumerInbox))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	name := "to_" + place[strings.LastIndex(place, ".")+1:]
	body, err := json.Marshal(map[string]any{"stream_name": envelope.Stream, "config": map[string]any{
		"name": name, "deliver_subject": place, "deliver_policy": "all", "ack_policy": "none", "idle_heartbeat": 100 * time.Millisecond,
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nc.RequestWithContext(t.Context(), "$JS.API.CONSUMER.CREATE."+envelope.Stream+"."+name, body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Error *jetstream.APIError }
	if err := json.Unmarshal(m.Data, &answer); err != nil || answer.Error != nil {
		t.Fatal(err, answer.Error)
	}
}
