package audit_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/eventstore/proof"
	"gesta/eventstore/scribe"
	"gesta/eventstore/wait"
	"gesta/http/audit"
)

// prove has the log grow and be signed up to the end of the history, and answers where that is.
func (d *desk) prove() int64 {
	d.Helper()
	head, err := d.stack.Store.Head(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	ctx, stop := context.WithCancel(d.Context())
	log := &proof.Log{DB: d.stack.Store.Pool(), Key: d.key}
	s := &scribe.Scribe{
		Name: proof.Name, Store: d.stack.Store, Pool: d.stack.Store.Pool(), Log: slog.New(slog.DiscardHandler), Begin: log.Begin, Write: log.Write, Wrote: log.Wrote,
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	wait.Until(d, "all is signed", func() bool {
		at, err := proof.ReachOf(d.Context(), d.stack.Store.Pool())
		return err == nil && at.Signed >= head.Position
	})
	stop()
	if err := <-done; err != nil {
		d.Fatal(err)
	}
	return head.Position
}

func TestTheExchangesOfProofs(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.client.Say(t, "before anything is signed", d.as(audit.Auditor, "GET", "/checkpoint"))
	head := d.prove()
	last := strconv.FormatInt(head, 10)
	for what, path := range map[string]string{"no position": "/proof/inclusion", "a position that is none": "/proof/inclusion?position=0"} {
		if a := d.client.Do(t, d.as(audit.Auditor, "GET", path)); a.Status != 400 {
			t.Errorf("%s: %d %s", what, a.Status, a.Text)
		}
	}
	d.client.Say(t, "an event that is not signed", d.as(audit.Auditor, "GET", "/proof/inclusion?position=1000000"))
	d.client.Say(t, "what is no position", d.as(audit.Auditor, "GET", "/proof/inclusion?position=first"))
	d.client.Say(t, "sizes that are none", d.as(audit.Auditor, "GET", "/proof/consistency?from=3&to=2"))
	d.client.Say(t, "a consumer proves nothing", d.as(audit.Consumer, "GET", "/proof/inclusion?position=1"))
	d.client.Golden(t, "proofs")

	key := d.client.Do(t, d.as(audit.Consumer, "GET", "/key"))
	c, err := proof.OpenCheckpoint(d.client.Do(t, d.as(audit.Consumer, "GET", "/checkpoint")).Text, key.Text[:len(key.Text)-1])
	if err != nil || c.N < head {
		t.Fatal(c, err)
	}
	d.isIncluded(c, last)
	d.isConsistent(c, "/proof/consistency?from=2")
	d.isConsistent(c, "/proof/consistency?from="+last+"&to="+last)
	d.isConsistent(c, "/proof/consistency?from=1&to=2")
	if types := d.types(); types["audit.history.read"] == 0 {
		t.Error("what was read is not recorded")
	}
}

// What was written before personal data was sealed stands in a leaf in clear: an auditor has the proof without it.
func TestAnAuditorIsNotShownALeafInClear(t *testing.T) {
	t.Parallel()
	d := start(t)
	head, err := d.stack.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	user := id.New(now)
	old := func(typ, data string, secret []byte) eventstore.NewEvent {
		return eventstore.NewEvent{ID: id.Event{ID: id.New(now)}, Type: typ, Schema: 1, OccurredAt: now, Data: []byte(data), Secret: secret, Meta: []byte(`{"realm":"accounts"}`)}
	}
	_, err = d.stack.Store.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{{
		Stream: domain.Stream{Kind: "identity.user", ID: user}, Events: []eventstore.NewEvent{
			old("identity.user.name_changed", `{"user_id":"`+user.String()+`","name":"Ada Clear"}`, nil),
			old("identity.user.password_changed", `{"user_id":"`+user.String()+`"}`, []byte(`{"password_hash":"$2a$04$clear"}`)),
			old("a.thing.nobody_knows", `{"name":"Ada Clear"}`, nil),
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	d.prove()
	c, err := d.key.Open(d.client.Do(t, d.as(audit.Consumer, "GET", "/checkpoint")).Text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(4) {
		position := strconv.FormatInt(head.Position+i, 10)
		path := "/proof/inclusion?position=" + position
		shown := strings.Contains(d.client.Do(t, d.as(audit.Auditor, "GET", path)).Text, `"leaf":`)
		if sealed := i == 0; shown != sealed {
			t.Errorf("position %s: the leaf is shown to an auditor: %t", position, shown)
		}
		d.isProven(c, audit.Auditor, position)
		if leaf := d.isProven(c, audit.Officer, position); len(leaf) == 0 {
			t.Error("an officer does not see the leaf")
		}
	}
}

// A log that is being made anew, or is damaged, is nothing that a client has done.
func TestProofsThatCanNotBeMade(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.prove()
	for _, one := range []struct{ code, harm string }{
		{"log_damaged", "update proof_tiles set hashes = set_byte(hashes, 3, 255 - get_byte(hashes, 3)) where level = 0"},
		{"log_rebuilding", "update proof_log set size = 1"},
	} {
		if _, err := d.stack.Store.Pool().Exec(t.Context(), one.harm); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/proof/inclusion?position=1", "/proof/consistency?from=1"} {
			a := d.client.Do(t, d.as(audit.Auditor, "GET", path))
			if a.Status != 503 || !strings.Contains(a.Text, `"code":"`+one.code+`"`) || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %s", path, a.Status, a.Text)
			}
		}
	}
}

func (d *desk) say(role identity.Role, path string, into any) {
	d.Helper()
	a := d.client.Do(d, d.as(role, "GET", path))
	if err := json.Unmarshal([]byte(a.Text), into); err != nil || a.Status != 200 {
		d.Fatal(a.Status, a.Text, err)
	}
}

// Whoever has the checkpoint needs nothing else.
func (d *desk) isIncluded(c proof.Checkpoint, position string) {
	d.Helper()
	if leaf := d.isProven(c, audit.Auditor, position); len(leaf) == 0 {
		d.Error("there is no leaf")
	}
}

// isProven verifies a proof, and answers its leaf if it was shown.
func (d *desk) isProven(c proof.Checkpoint, role identity.Role, position string) (leaf []byte) {
	d.Helper()
	var in struct {
		Position, Leaf, Checkpoint string
		LeafHash                   tlog.Hash `json:"leaf_hash"`
		Hashes                     []tlog.Hash
	}
	d.say(role, "/proof/inclusion?position="+position, &in)
	leaf, err := base64.StdEncoding.DecodeString(in.Leaf)
	if err != nil || len(leaf) > 0 && tlog.RecordHash(leaf) != in.LeafHash || in.Checkpoint != c.Text {
		d.Error(in, err)
	}
	n, _ := strconv.ParseInt(in.Position, 10, 64)
	if err := tlog.CheckRecord(in.Hashes, c.N, c.Hash, n-1, in.LeafHash); err != nil || in.Position != position {
		d.Error(in, err)
	}
	return leaf
}

func (d *desk) isConsistent(c proof.Checkpoint, path string) {
	d.Helper()
	type tree struct {
		Size int64 `json:"size,string"`
		Root tlog.Hash
	}
	var in struct {
		From, To     tree
		Hashes       []tlog.Hash
		Checkpoint   string
		ToCheckpoint []tlog.Hash `json:"to_checkpoint"`
	}
	d.say(audit.Officer, path, &in)
	if err := tlog.CheckTree(in.Hashes, in.To.Size, in.To.Root, in.From.Size, in.From.Root); err != nil || in.Checkpoint != c.Text {
		d.Error(in, err)
	}
	if err := tlog.CheckTree(in.ToCheckpoint, c.N, c.Hash, in.To.Size, in.To.Root); err != nil {
		d.Error("what was signed does not prove it:", err)
	}
}
