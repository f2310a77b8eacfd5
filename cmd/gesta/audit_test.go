package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/proof"
	"gesta/eventstore/wait"
)

// file writes a file, and answers where.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// audited runs a system whose checkpoints are kept.
func audited(t *testing.T) (i installation, p *process, api client, kept string) {
	t.Helper()
	i = install(t)
	kept = filepath.Join(t.TempDir(), "checkpoints")
	i.env = append(i.env, "GESTA_CHECKPOINTS_FILE="+kept, "GESTA_AUDIT_ORIGIN=audit.example.com/gesta")
	p, api = i.serve(t, "api,relay,projector,policies,audit")
	return i, p, api, kept
}

// What happened is exported, and verified far away by the key alone, also when a person in it is forgotten.
func TestTheHistoryIsProven(t *testing.T) {
	t.Parallel()
	i, p, api, kept := audited(t)
	published, err := i.nc.SubscribeSync(proof.Subject)
	if err != nil {
		t.Fatal(err)
	}
	ann := api.come("ann")
	head := i.level(t, api)
	key := strings.TrimSpace(mustGesta(t, i.env, "audit", "key"))
	if !strings.HasPrefix(key, "audit.example.com/gesta+") {
		t.Error(key)
	}
	i.isPublished(t, published.NextMsg, key, int64(head))

	says(t, i.env, fmt.Sprintf("proof: %d events, 1 tiles, signed up to %[1]d; 0 findings\n", head), "audit", "verify", "--checkpoints-file", "")
	says(t, i.env, fmt.Sprintf("proof: %d events, 1 tiles, signed up to %[1]d, ", head), "audit", "verify")
	says(t, i.env, " kept checkpoints; 0 findings\n", "audit", "verify")
	says(t, i.env, "proof: ", "verify", "--only", "proof")
	bundle := filepath.Join(t.TempDir(), "bundle")
	mustGesta(t, i.env, "audit", "export", "--from", "2", "--to", fmt.Sprint(head), "--out", bundle)
	before, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	nowhere := []string{"GESTA_DATA=" + t.TempDir(), "DATABASE_URL=postgres://nobody@127.0.0.1:1/none", "NATS_URL=nats://127.0.0.1:1"}
	proven := fmt.Sprintf("bundle: events 2 to %d are in the history of %[1]d events that audit.example.com/gesta has signed; 0 findings\n", head)
	says(t, nowhere, proven, "audit", "verify", "--bundle", bundle, "--key", key)
	says(t, nowhere, proven, "audit", "verify", "--bundle", bundle, "--key", "@"+file(t, key+"\n"))
	refuses(t, nowhere, "gesta audit key", "audit", "verify", "--bundle", bundle)
	refuses(t, nowhere, "no verifier key", "audit", "verify", "--bundle", bundle, "--key", "nonsense")
	refuses(t, nowhere, "don't go together", "audit", "verify", "--bundle", bundle, "--key", key, "--since", bundle)
	changed := file(t, strings.Replace(string(before), "identity.user.registered", "identity.user.promoted", 1))
	if out, err := gesta(t, nowhere, "", "audit", "verify", "--bundle", changed, "--key", key); err == nil || !strings.HasPrefix(out, "bundle: WRONG: line ") {
		t.Error(out, err)
	}
	refuses(t, i.env, "does not reach so far", "audit", "export", "--to", fmt.Sprint(head+1000))

	mustGesta(t, i.env, "privacy", "forget", "--subject", ann.id)
	i.level(t, api)
	says(t, i.env, "; 0 findings\n", "audit", "verify", "--since", kept)
	after := mustGesta(t, i.env, "audit", "export", "--from", "2", "--to", fmt.Sprint(head))
	if a, b := strings.SplitN(after, "\n", 2)[1], strings.SplitN(string(before), "\n", 2)[1]; a != b {
		t.Error("what was exported changes as a person is forgotten")
	}
	says(t, nowhere, "0 findings", "audit", "verify", "--bundle", bundle, "--key", key)

	i.isRebuilt(t, api, kept)
	p.stop()
	renamed := append(slices.Clone(i.env), "GESTA_AUDIT_ORIGIN=other")
	says(t, renamed, "; 0 findings\n", "audit", "verify", "--since", kept) // Checkpoints outlive a name.
	refuses(t, append(slices.Clone(i.env), "GESTA_AUDIT_ORIGIN=a b"), "GESTA_AUDIT_ORIGIN", "audit", "key")
}

// isPublished waits for the checkpoint of the head on NATS.
func (i installation) isPublished(t *testing.T, next func(time.Duration) (*nats.Msg, error), key string, head int64) {
	t.Helper()
	for {
		m, err := next(patience)
		if err != nil {
			t.Fatal(err)
		}
		c, err := proof.OpenCheckpoint(string(m.Data), key)
		if err != nil {
			t.Fatal(err)
		}
		if c.N >= head {
			return
		}
	}
}

// isRebuilt lets the log be made anew while the system runs.
func (i installation) isRebuilt(t *testing.T, api client, kept string) {
	t.Helper()
	const tiles = `select level || ' ' || tile || ' ' || encode(hashes, 'hex') from gesta.proof_tiles order by level, tile`
	was := pgtest.Rows(t, i.owner, tiles)
	says(t, i.env, "cleared", "audit", "rebuild", "--only", "proof")
	i.level(t, api)
	unchanged(t, "tiles", was, pgtest.Rows(t, i.owner, tiles))
	says(t, i.env, "; 0 findings\n", "audit", "verify", "--since", kept)
}

// Whoever owns the database can change everything but what was signed.
func TestAnAuditFindsWhatTheOwnerDid(t *testing.T) {
	t.Parallel()
	i, p, api, kept := audited(t)
	api.come("ann")
	i.level(t, api)
	early := file(t, i.checkpoint(t))
	key := strings.TrimSpace(mustGesta(t, i.env, "audit", "key"))
	api.come("bob")
	head := i.level(t, api)
	p.stop()
	i.exec(t, `alter table gesta.events disable trigger all`)
	i.exec(t, `update gesta.events set metadata = '{}' where position = 3`)
	for _, args := range [][]string{{"audit", "verify"}, {"audit", "verify", "--key", key}, {"verify", "--only", "proof"}} {
		out, err := gesta(t, i.env, "", args...)
		if err == nil || !strings.Contains(out, "\nproof: WRONG: position 3 is changed\nproof: ") || !strings.Contains(out, "is not of this history: positions 1 to ") {
			t.Errorf("%v %v\n%s", args, err, out)
		}
	}
	unkept := append(slices.Clone(i.env), "GESTA_CHECKPOINTS_FILE=")
	if out, err := gesta(t, unkept, "", "audit", "verify"); err == nil || !strings.HasPrefix(out, "proof: WRONG: position 3 is changed\nproof: ") {
		t.Errorf("%v\n%s", err, out)
	}
	i.exec(t, `truncate gesta.proof_tiles; update gesta.proof_log set size = 0; delete from gesta.checkpoints where follower = 'proof'`)
	i.isNotSigned(t)
	out, err := gesta(t, i.env, "", "audit", "verify", "--since", kept)
	if err == nil || !strings.Contains(out, "is not of this history: positions 1 to ") || !strings.Contains(out, fmt.Sprintf("the root of the first %d events is not the one that was signed", head)) {
		t.Error(out, err)
	}
	if out, err := gesta(t, i.env, "", "audit", "verify", "--since", early); err == nil || !strings.Contains(out, "(line 1) is not of this history") {
		t.Error(out, err)
	}
	forged := file(t, strings.Replace(i.checkpoint(t), "— audit.example.com/gesta ", "— audit.example.com/gesta A", 1))
	if out, err := gesta(t, i.env, "", "audit", "verify", "--since", forged); err == nil || !strings.Contains(out, "line 1 of "+forged+": proof: ") {
		t.Error(out, err)
	}
	if out, err := gesta(t, i.env, "", "audit", "verify", "--since", file(t, "")); err == nil || !strings.Contains(out, "there is no checkpoint of this key in ") {
		t.Error(out, err)
	}
}

// isNotSigned has a process find out that the history is another than the one that was signed.
func (i installation) isNotSigned(t *testing.T) {
	t.Helper()
	p, api := i.serve(t, "audit")
	defer p.stop()
	wait.Until(t, "it refuses to sign", func() bool {
		audit, _ := api.detail()["audit"].(map[string]any)
		log, _ := audit["proof"].(map[string]any)
		reason, _ := log["error"].(string)
		return strings.Contains(reason, "not the one that was signed") && strings.Contains(api.do("GET", "/metrics", "", nil).text, "\ngesta_proof_refused 1\n")
	})
	p.await(`("msg":"the log of the history is not signed")`)
}

// Whoever takes what was signed out of the database as well, or the key, has nothing signed under the same name; another
// name is how an operator goes on.
func TestAnAuditFindsWhatTheOwnerMadeAnew(t *testing.T) {
	t.Parallel()
	const clear = `truncate gesta.proof_tiles; delete from gesta.checkpoints where follower = 'proof'; update gesta.proof_log set size = 0`
	for name, harm := range map[string]struct{ do, finds string }{
		"the row":         {`alter table gesta.events disable trigger all; update gesta.events set metadata = '{}' where position = 3; ` + clear + `, signed = 0, checkpoint = ''`, " is not of this history: positions 1 to "},
		"the key":         {`delete from gesta_keys.house_keys where name = 'checkpoints'`, "the checkpoint is forged: it is not signed by this key"},
		"the key and row": {`delete from gesta_keys.house_keys where name = 'checkpoints'; ` + clear + `, signed = 0, checkpoint = ''`, "not signed by this key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, p, api, kept := audited(t)
			api.come("ann")
			i.level(t, api)
			p.stop()
			was, err := os.ReadFile(kept)
			if err != nil {
				t.Fatal(err)
			}
			i.exec(t, harm.do)
			i.isNotSigned(t)
			if out, err := gesta(t, i.env, "", "audit", "verify"); err == nil || !strings.Contains(out, harm.finds) {
				t.Errorf("%v\n%s", err, out)
			}
			if is, err := os.ReadFile(kept); err != nil || string(is) != string(was) {
				t.Error("something was signed", err)
			}
			i.env = append(i.env, "GESTA_AUDIT_ORIGIN=gesta-2")
			p, api = i.serve(t, "api,relay,projector,policies,audit")
			wait.Until(t, "it is signed anew", func() bool { return strings.HasPrefix(i.checkpoint(t), "gesta-2\n") })
			i.level(t, api)
			p.stop()
			says(t, i.env, "; 0 findings\n", "audit", "verify")
			if _, err := gesta(t, i.env, "", "audit", "verify", "--since", kept); err == nil {
				t.Error("what was signed under the old name holds")
			}
		})
	}
}

// checkpoint is the one that was signed last.
func (i installation) checkpoint(t *testing.T) string {
	t.Helper()
	var text string
	if err := pgtest.Connect(t, i.owner).QueryRow(t.Context(), "select checkpoint from gesta.proof_log").Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// A file that can't be written stops nothing.
func TestCheckpointsThatCanNotBeKept(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env = append(i.env, "GESTA_CHECKPOINTS_FILE="+filepath.Join(t.TempDir(), "nowhere", "checkpoints"))
	p, api := i.serve(t, "api,relay,projector,audit")
	api.come("ann")
	i.level(t, api)
	p.await(`("msg":"a signed checkpoint is not in the file of checkpoints")`)
	metrics := api.do("GET", "/metrics", "", nil).text
	for _, none := range []string{"gesta_proof_checkpoints_total 0", "gesta_proof_checkpoints_unwritten_total 0", "gesta_proof_refused 1", "gesta_proof_position 0", "gesta_proof_signed_position 0"} {
		if strings.Contains(metrics, "\n"+none+"\n") {
			t.Error(none)
		}
	}
	for _, one := range []string{"gesta_proof_lag 0", "gesta_proof_refused 0"} {
		if !strings.Contains(metrics, "\n"+one+"\n") {
			t.Errorf("no %s", one)
		}
	}
}
