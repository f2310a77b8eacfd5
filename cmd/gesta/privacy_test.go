package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/seal"
	"gesta/eventstore/wait"
)

// person is somebody whose words nobody else says.
type markedPerson struct {
	id                     string
	personal, secret       []string
	email, phone, password string
	access, refresh        string
}

// places are all where something of a person could be, by name.
type places map[string]string

// find answers where any of the words are. Bytes are looked for as such, and as columns and JSON spell them.
func (p places) find(words []string, except ...string) (found []string) {
	for place, text := range p {
		if slices.ContainsFunc(except, func(prefix string) bool { return strings.HasPrefix(place, prefix) }) {
			continue
		}
		for _, word := range words {
			for _, spelled := range []string{word, hex.EncodeToString([]byte(word)), base64.StdEncoding.EncodeToString([]byte(word))} {
				if strings.Contains(text, spelled) {
					found = append(found, word+" in "+place)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// places reads all that there is: every column of every table, a dump, NATS' files, what processes have said, exports,
// metrics, and what was answered to mistakes.
func (i installation) places(t *testing.T, natsDir string, api client, ps ...*process) places {
	t.Helper()
	all := places{"export": mustGesta(t, i.env, "events", "export"), "metrics": api.expect(200, "GET", "/metrics", "", nil).text, "health": api.expect(200, "GET", "/readyz", "", nil).text}
	for n, p := range ps {
		all[fmt.Sprintf("log %d", n)] = p.said()
	}
	for _, table := range pgtest.Rows(t, i.owner, `select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables
		where table_schema not in ('pg_catalog', 'information_schema')`) {
		all["table "+table] = strings.Join(pgtest.Rows(t, i.owner, `select t::text from `+table+` t`), "\n")
	}
	if len(all) < 15 || !strings.Contains(all["table gesta.events"], "identity.user.registered") {
		t.Fatalf("these are not all: %d", len(all))
	}
	file := filepath.Join(t.TempDir(), "dump.sql")
	if out, err := postgresProgram(t, "pg_dump", "--file="+file, "--dbname="+i.owner); err != nil {
		t.Logf("NOT TESTED: pg_dump: %v %s", err, out)
	} else if text, err := os.ReadFile(file); err != nil {
		t.Fatal(err)
	} else {
		// By schema, as tables are: read models are where personal data belongs.
		all["dump"], all["table gesta_read (dump)"] = splitDump(string(text))
	}
	err := filepath.WalkDir(natsDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all["nats "+path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// splitDump tells the data of read models from all else.
func splitDump(text string) (rest, read string) {
	for part := range strings.SplitSeq(text, "\nCOPY ") {
		end := strings.Index(part, "\n\\.\n")
		if end >= 0 && strings.HasPrefix(part, "gesta_read") {
			read += part[:end]
			part = part[end:]
		}
		rest += part
	}
	return rest, read
}

// come has somebody do everything that a person does.
func (c client) come(name string) (p markedPerson) {
	c.t.Helper()
	first := "marker-first-" + name + "@example.com"
	p = markedPerson{email: "marker-mail-" + name + "@example.com", phone: "+4711-" + name, password: "marker-password-" + name}
	in := registration(first)
	in["phone"], in["password"] = "+0815-"+name, "marker-old-"+name
	p.id = c.expect(201, "POST", "/users", "", in).field("id")
	login := c.expect(200, "POST", "/auth/login", "", map[string]string{"email": first, "password": "marker-old-" + name})
	access := login.field("access_token")
	c.expect(200, "PUT", "/users/"+p.id, access, map[string]string{
		"email": p.email, "phone": p.phone, "password": p.password, "current_password": "marker-old-" + name,
	})
	c.expect(401, "POST", "/auth/login", "", map[string]string{"email": p.email, "password": "marker-guess-" + name})
	c.expect(409, "POST", "/users", "", registration(p.email))
	c.do("PUT", "/users/"+p.id, access, map[string]any{"phone": "marker\nline" + name})
	again := c.expect(200, "POST", "/auth/login", "", map[string]string{"email": p.email, "password": p.password})
	renewed := c.expect(200, "POST", "/auth/refresh", "", map[string]string{"refresh_token": again.field("refresh_token")})
	p.access, p.refresh = renewed.field("access_token"), renewed.field("refresh_token")
	p.personal = []string{p.email, first, p.phone, "+0815-" + name, "marker\nline" + name, "marker-reason-" + name}
	p.secret = []string{
		p.password, "marker-old-" + name, "marker-guess-" + name, "$2a$",
		access, p.access, p.refresh, login.field("refresh_token"), again.field("refresh_token"), again.field("access_token"),
	}
	return p
}

// The whole story of a person whose words nobody else says: what is secret is nowhere, what is personal in read models
// alone, and after forgetting nothing of it anywhere.
func TestNothingOfAPersonIsLeft(t *testing.T) {
	t.Parallel()
	i, nats := onNATS(t, "GESTA_LOG_LEVEL=debug")
	one, api := i.serve(t, "api,relay,projector,policies,audit")
	two, other := i.serve(t, "api,relay,projector,policies,audit")
	boss := api.expect(201, "POST", "/users", "", with(registration("boss@example.com"), "role", "BO"))
	bossToken := api.expect(200, "POST", "/auth/login", "", credentials("boss@example.com")).field("access_token")
	ann, bob := api.come("ann"), other.come("bob")
	i.level(t, api)

	refuses(t, i.env, "the last active administrator can't go", "privacy", "forget", "--subject", boss.field("id"))
	refuses(t, i.env, "nothing is kept about this person", "privacy", "forget", "--subject", "01a223e2-b263-7816-b81d-fdb110511a6e")
	refuses(t, i.env, "is no id", "privacy", "forget", "--subject", "ann")
	mustGesta(t, i.env, "privacy", "hold", "--subject", ann.id, "--reason", "marker-reason-ann")
	refuses(t, i.env, "a legal hold keeps this person's data", "privacy", "forget", "--subject", ulid(t, ann.id))
	i.level(t, api)

	before := i.places(t, nats.dir, api, one, two)
	if found := before.find(append(ann.secret, bob.secret...)); len(found) > 0 {
		t.Errorf("secrets: %s", found)
	}
	if found := before.find(append(ann.personal, bob.personal...), "table gesta_read"); len(found) > 0 {
		t.Errorf("personal, outside of read models: %s", found)
	}
	for _, p := range []markedPerson{ann, bob} {
		if len(before.find([]string{p.email})) == 0 {
			t.Error("the read models show nobody, so that nothing could be found")
		}
		i.findByHashing(t, p.email)
	}
	exported := mustGesta(t, i.env, "privacy", "export", "--subject", ann.id)
	for _, marker := range []string{ann.email, ann.phone, "marker-first-ann@example.com", "marker-reason-ann"} {
		if !strings.Contains(exported, marker) {
			t.Errorf("%s is not in all that is kept: %s", marker, exported)
		}
	}
	if found := (places{"export": exported}).find(append(ann.secret, bob.personal...)); len(found) > 0 {
		t.Errorf("what is kept about her shows %s", found)
	}

	keys := pgtest.Rows(t, i.owner, `select 'x' from gesta_keys.subject_keys`) // Of an older backup.
	i.exec(t, `create schema backup; create table backup.keys as select * from gesta_keys.subject_keys`)
	mustGesta(t, i.env, "privacy", "release", "--subject", ann.id)
	receipt := mustGesta(t, i.env, "privacy", "forget", "--subject", ann.id)
	i.checkReceipt(t, receipt, ann.id)
	if again := mustGesta(t, i.env, "privacy", "forget", "--subject", ann.id); again != receipt {
		t.Errorf("a second time: %s", again)
	}
	i.isForgotten(t, ann, bossToken, api, other)
	wait.Until(t, "she is counted", func() bool {
		return strings.Contains(api.expect(200, "GET", "/metrics", "", nil).text, "gesta_privacy_forgotten 1")
	})

	i.exec(t, `drop schema backup cascade`) // It was hers as well.
	after := i.places(t, nats.dir, api, one, two)
	api.checkDescribed(after["export"])
	if found := after.find(append(ann.personal, ann.secret...)); len(found) > 0 {
		t.Errorf("after forgetting: %s", found)
	}
	if len(after.find([]string{bob.email})) == 0 || len(after.find(bob.personal, "table gesta_read")) > 0 {
		t.Errorf("of another: %s", after.find(bob.personal))
	}
	mustGesta(t, i.env, "projections", "rebuild")
	i.level(t, api)
	i.verify(t)
	if found := i.places(t, nats.dir, api, one, two).find(append(ann.personal, ann.secret...)); len(found) > 0 || len(keys) == 0 {
		t.Errorf("after a rebuild: %s", found)
	}
	other.expect(201, "POST", "/users", "", with(registration(ann.email), "password", "another"))
	other.expect(200, "POST", "/auth/login", "", map[string]string{"email": ann.email, "password": "another"})
}

func with(fields map[string]string, name, value string) map[string]string {
	fields[name] = value
	return fields
}

// comeToPromenade has somebody do there everything that a person does, and be known as a customer.
func (c client) comeToPromenade(name, digit string) (p markedPerson, customer string) {
	c.t.Helper()
	word := func(of string) string {
		p.personal = append(p.personal, "marker-"+of+"-"+name)
		return "marker-" + of + "-" + name
	}
	text := func(said string) string {
		p.personal = append(p.personal, said)
		return said
	}
	mail := func(of string) string { return word(of) + "@example.com" }
	link := func(of string) string { return "https://example.com/" + word(of) }
	p.password = "marker-password-1-" + name
	in := c.expect(201, "POST", promenadeUsers+"/register", "", map[string]string{"email": mail("first"), "name": word("was"), "password": p.password})
	p.id, p.access, p.refresh = in.inside("data.user.id"), in.inside("data.access_token"), in.inside("data.refresh_token")
	p.email = mail("mail")
	c.expect(200, "PUT", promenadeUsers+"/me", p.access, map[string]string{"name": word("name"), "email": p.email})
	c.expect(401, "POST", promenadeUsers+"/login", "", map[string]string{"email": p.email, "password": "marker-guess-" + name})
	c.expect(409, "POST", promenadeUsers+"/register", "", map[string]string{"email": p.email, "name": word("again"), "password": p.password})
	p.secret = []string{p.password, "marker-guess-" + name, "$2a$", p.access, p.refresh}

	const profiles, contacts = "/api/v1/identity/profiles", "/api/v1/identity/contacts"
	c.expect(201, "POST", profiles, p.access, map[string]any{
		"display_name": word("display"), "first_name": word("given"), "middle_name": word("middle"), "last_name": word("family"), "bio": word("bio"),
		"avatar_url": link("avatar"), "gender": "other", "date_of_birth": text("1987-03-1" + digit), "timezone": "Pacific/Chatham", "language": "uk",
		"country": "NZ", "website": link("website"), "linkedin": link("linkedin"), "twitter": link("twitter"), "github": link("github"),
		"facebook": link("facebook"), "instagram": link("instagram"), "is_public": true,
	})
	c.expect(200, "PUT", profiles+"/me", p.access, map[string]string{"bio": word("bio now")})
	id := c.expect(201, "POST", contacts, p.access, map[string]any{"type": "email", "label": word("label"), "email": mail("work"), "is_primary": true}).inside("data.id")
	c.expect(200, "PUT", contacts+"/"+id, p.access, map[string]string{"label": word("label now"), "email": mail("job")})
	c.expect(201, "POST", contacts, p.access, map[string]any{"type": "phone", "label": word("home"), "phone": text("+44123456700" + digit)})
	c.expect(201, "POST", contacts, p.access, map[string]any{"type": "address", "label": word("house"), "address": map[string]string{
		"street": word("street"), "apartment": word("flat"), "city": word("city"), "state": word("state"), "postal_code": word("code"), "country": "NZ",
	}})
	c.expect(400, "POST", contacts, p.access, map[string]any{"type": "email", "label": word("wrong"), "email": word("no mail")})

	customer = c.expect(201, "POST", promenadeCustomers, p.access, map[string]any{
		"name": word("customer"), "email": mail("customer"), "phone": text("+44123456710" + digit), "status": "customer",
	}).inside("data.id")
	c.expect(200, "PUT", promenadeCustomers+"/"+customer, p.access, map[string]string{"name": word("client"), "phone": text("+44123456720" + digit)})
	c.expect(200, "POST", promenadeCustomers+"/"+customer+"/link-user", p.access, map[string]string{"user_id": p.id})
	c.expect(200, "POST", promenadeCustomers+"/"+customer+"/churn", p.access, map[string]string{"reason": word("reason")})
	return p, customer
}

// So it is with who has a profile and contacts, and is a customer: he is forgotten as both.
func TestNothingOfAPersonOfPromenadeIsLeft(t *testing.T) {
	t.Parallel()
	i, nats := onNATS(t, "GESTA_LOG_LEVEL=debug", "RATE_LIMITS=off")
	one, api := i.serve(t, "api,relay,projector,policies,audit")
	two, other := i.serve(t, "api,relay,projector,policies,audit")
	boss := i.superadmin(t, api, "boss@example.com")
	ann, annsCustomer := api.comeToPromenade("ann", "1")
	bob, _ := other.comeToPromenade("bob", "2")
	i.level(t, api)

	before := i.places(t, nats.dir, api, one, two)
	if found := before.find(append(ann.secret, bob.secret...)); len(found) > 0 {
		t.Errorf("secrets: %s", found)
	}
	if found := before.find(append(ann.personal, bob.personal...), "table gesta_read"); len(found) > 0 {
		t.Errorf("personal, outside of read models: %s", found)
	}
	exported := mustGesta(t, i.env, "privacy", "export", "--subject", ann.id) + mustGesta(t, i.env, "privacy", "export", "--subject", annsCustomer)
	for _, marker := range ann.personal {
		if was := !slices.Contains([]string{"marker-again-ann", "marker-wrong-ann", "marker-no mail-ann"}, marker); strings.Contains(exported, marker) != was {
			t.Errorf("whether %s is in all that is kept: %t", marker, !was)
		}
	}
	if found := (places{"export": exported}).find(append(ann.secret, bob.personal...)); len(found) > 0 {
		t.Errorf("what is kept about her shows %s", found)
	}

	mustGesta(t, i.env, "privacy", "forget", "--subject", ann.id)
	mustGesta(t, i.env, "privacy", "forget", "--subject", annsCustomer)
	for _, api := range []client{api, other} {
		api.expect(401, "GET", promenadeUsers+"/me", ann.access, nil)
		api.expect(404, "GET", "/api/v1/identity/profiles/user/"+ann.id, boss, nil)
		api.expect(404, "GET", promenadeCustomers+"/"+annsCustomer, boss, nil)
		if a := api.expect(200, "GET", promenadeUsers+"/"+ann.id, boss, nil); a.inside("data.name") != "[forgotten]" || a.inside("data.email") != "[forgotten]" {
			t.Errorf("she is shown as %s", a.text)
		}
	}
	after := i.places(t, nats.dir, api, one, two)
	if found := after.find(append(ann.personal, ann.secret...)); len(found) > 0 {
		t.Errorf("after forgetting: %s", found)
	}
	if len(after.find([]string{bob.email})) == 0 || len(after.find(bob.personal, "table gesta_read")) > 0 {
		t.Errorf("of another: %s", after.find(bob.personal))
	}
	mustGesta(t, i.env, "projections", "rebuild")
	i.level(t, api)
	i.verify(t)
	if found := i.places(t, nats.dir, api, one, two).find(append(ann.personal, ann.secret...)); len(found) > 0 {
		t.Errorf("after a rebuild: %s", found)
	}
	other.expect(201, "POST", promenadeUsers+"/register", "", map[string]string{"email": ann.email, "name": "Ann", "password": "another-1"})
}

// isForgotten asks all replicas.
func (i installation) isForgotten(t *testing.T, p markedPerson, bossToken string, all ...client) {
	t.Helper()
	for _, api := range all {
		api.expect(401, "POST", "/auth/login", "", map[string]string{"email": p.email, "password": p.password})
		api.expect(401, "POST", "/auth/refresh", "", map[string]string{"refresh_token": p.refresh})
		api.expect(401, "GET", "/users/"+p.id, p.access, nil)
		api.expect(404, "GET", "/users/by-email?email="+p.email, bossToken, nil)
		a := api.expect(200, "GET", "/users/"+p.id, bossToken, nil)
		if a.field("email") != "[forgotten]" || a.field("phone") != "[forgotten]" || a.fields["is_active"] != false || a.field("role") != "CU" {
			t.Errorf("she is shown as %s", a.text)
		}
		if a := api.expect(409, "PUT", "/users/"+p.id, bossToken, map[string]string{"phone": "1"}); !strings.Contains(a.text, "this person has been forgotten") {
			t.Errorf("said is %s", a.text)
		}
		api.expect(409, "PUT", "/users/"+p.id, bossToken, map[string]any{"is_active": true})
		if a := api.expect(200, "PUT", "/users/"+p.id, bossToken, map[string]any{"is_active": false}); a.field("email") != "[forgotten]" {
			t.Errorf("she is shown as %s", a.text)
		}
	}
}

// checkReceipt verifies it as anybody can who has the public key.
func (i installation) checkReceipt(t *testing.T, text, subject string) {
	t.Helper()
	block, _ := pem.Decode([]byte(mustGesta(t, i.env, "keys", "public")))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var signed commands.SignedForgetting
	if err := json.Unmarshal([]byte(text), &signed); err != nil {
		t.Fatal(err)
	}
	f, err := signed.Verify(public.(ed25519.PublicKey))
	if err != nil || f.SubjectUUID != subject || len(f.Events) != 2 || f.HoldsFrom.Sub(f.ForgottenAt) != seal.MaxAge {
		t.Errorf("%+v, %v", f, err)
	}
	for _, e := range f.Events {
		stream, id, _ := strings.Cut(e.Stream, "/")
		rows := pgtest.Rows(t, i.owner, fmt.Sprintf(`select type from gesta.events where position = %s and version = %s and stream_kind = '%s'`, e.Position, e.Version, stream))
		if !slices.Equal(rows, []string{"privacy.subject.forgotten"}) || id != ulid(t, subject) {
			t.Errorf("%+v is %s", e, rows)
		}
	}
}

// findByHashing tries to find out whether an address is taken, without the key: by whatever one would hash it with.
func (i installation) findByHashing(t *testing.T, email string) {
	t.Helper()
	var taken [][]byte
	for _, row := range pgtest.Rows(t, i.owner, `select replace(name::text, '-', '') || ' ' || replace(scope::text, '-', '') from gesta.claims`) {
		for half := range strings.FieldsSeq(row) {
			b, err := hex.DecodeString(half)
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, b)
		}
	}
	if len(taken) < 4 {
		t.Fatalf("%d claims", len(taken))
	}
	var stored [][]byte // What lies beside the claims could be their key.
	for _, row := range pgtest.Rows(t, i.owner, `select encode(wrapped, 'hex') from gesta_keys.subject_keys union all select encode(wrapped, 'hex') from gesta_keys.house_keys union all select encode(key_fingerprint, 'hex') from gesta.head`) {
		b, err := hex.DecodeString(row)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, b, b[max(0, len(b)-32):])
	}
	for _, key := range append(stored, nil, make([]byte, 32), []byte("accounts"), []byte("gesta/claims")) {
		for _, said := range []string{email, "name" + email, "email/accounts" + email, "email/accounts/" + email, "accounts" + email, "nameemail/accounts" + email} {
			plain, keyed := sha256.Sum256([]byte(said)), hmac.New(sha256.New, key)
			keyed.Write([]byte(said))
			for _, hash := range [][]byte{plain[:], keyed.Sum(nil)} {
				if slices.ContainsFunc(taken, func(b []byte) bool { return bytes.Equal(b, hash[:16]) }) {
					t.Errorf("%q is found to be taken", said)
				}
			}
		}
	}
}

// After a restore of older keys verify says who has come back, and a receipt forgets again.
func TestAReceiptIsAppliedAfterARestore(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	ann := api.come("ann")
	i.level(t, api)
	i.exec(t, `create schema backup; create table backup.keys as select * from gesta_keys.subject_keys`)
	receipt := filepath.Join(t.TempDir(), "receipt.json")
	if err := os.WriteFile(receipt, []byte(mustGesta(t, i.env, "privacy", "forget", "--subject", ann.id)), 0o600); err != nil {
		t.Fatal(err)
	}
	i.level(t, api)
	p.stop()
	i.verify(t)
	i.exec(t, `update gesta_keys.subject_keys as k set wrapped = b.wrapped, forgotten_at = null from backup.keys as b where b.subject = k.subject`)
	if out, err := gesta(t, i.env, "", "verify"); err == nil || !strings.Contains(out, "was forgotten, and has a key") {
		t.Errorf("%v\n%s", err, out)
	}
	again := mustGesta(t, i.env, "keys", "reapply", receipt)
	if !strings.Contains(again, ulid(t, ann.id)) {
		t.Error(again)
	}
	_, api = i.serve(t, "api,relay,projector,audit")
	i.level(t, api)
	i.verify(t)
	forged := strings.ReplaceAll(again, ulid(t, ann.id), "01M8HYRTADF23VE0FPEFPVRXB8")
	if err := os.WriteFile(receipt, []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, i.env, "is not signed by this store", "keys", "reapply", receipt)
}

// All keys are wrapped by another master key while the system runs, and no event is rewritten.
func TestTheMasterKeyIsChanged(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	ann := api.come("ann")
	i.level(t, api)
	const events = `select e::text from gesta.events e order by position`
	const wrapped = `select wrapped::text from gesta_keys.subject_keys union all select wrapped::text from gesta_keys.house_keys`
	before, keys := pgtest.Rows(t, i.owner, events), pgtest.Rows(t, i.owner, wrapped)
	second := "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcy4="
	both := append(slices.Clone(i.env), "GESTA_MASTER_KEY="+second, "GESTA_MASTER_KEY_PREVIOUS="+testMasterKey)
	out := mustGesta(t, both, "keys", "rotate")
	if out != fmt.Sprintf("%d of %[1]d keys are wrapped anew; no event was rewritten\n", len(keys)) {
		t.Error(out)
	}
	if out := mustGesta(t, both, "keys", "rotate"); !strings.HasPrefix(out, "0 of ") {
		t.Errorf("a second time: %s", out)
	}
	unchanged(t, "events", before, pgtest.Rows(t, i.owner, events))
	for _, k := range pgtest.Rows(t, i.owner, wrapped) {
		if slices.Contains(keys, k) {
			t.Errorf("%s is wrapped as before", k)
		}
	}
	p.stop()
	refuses(t, i.env, "not the master key of this store", "serve", "--listen", "127.0.0.1:0")
	alone := i
	alone.env = append(slices.Clone(i.env), "GESTA_MASTER_KEY="+second)
	_, api = alone.serve(t, "api,relay,projector,audit")
	api.expect(200, "POST", "/auth/login", "", map[string]string{"email": ann.email, "password": ann.password})
	alone.verify(t)
	refuses(t, append(alone.env, "GESTA_MASTER_KEY_PREVIOUS=short"), "GESTA_MASTER_KEY_PREVIOUS", "verify")
}

// The index of who is held by which streams is derived: without it nobody is found to be forgotten, and it comes back
// the same.
func TestTheIndexOfPersonsComesBack(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	ann := api.come("ann")
	api.come("bob")
	p.stop()
	const index = `select s::text from gesta.subject_streams s order by 1`
	before := pgtest.Rows(t, i.owner, index)
	i.exec(t, `delete from gesta.subject_streams`)
	if out, err := gesta(t, i.env, "", "verify", "--only", "states"); err == nil || strings.Count(out, "is not found by it") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	if out := mustGesta(t, i.env, "privacy", "reindex"); !strings.HasSuffix(out, ", 2 streams that were not known to hold somebody\n") {
		t.Error(out)
	}
	unchanged(t, "index", before, pgtest.Rows(t, i.owner, index))
	mustGesta(t, i.env, "privacy", "forget", "--subject", ann.id)
}

// A store that was begun before anything was sealed goes on: its claims are found, and what is written from now on is
// sealed. What was written in clear can't be forgotten, and that is said.
func TestAStoreThatWasBegunInClearGoesOn(t *testing.T) {
	t.Parallel()
	i := install(t)
	mustGesta(t, i.env, "migrate", "up")
	key, err := base64.StdEncoding.DecodeString(testMasterKey)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := seal.LegacyClaims(key)
	if err != nil {
		t.Fatal(err)
	}
	hasher := commands.NewHasher(claims)
	ann := "01a223e2-b263-7816-b81d-fdb110511a6e"
	claim := hasher.Hash(identity.EmailClaim("accounts", "ann@example.com"))
	i.exec(t, fmt.Sprintf(`update gesta.head set key_fingerprint = '\x%x';
		insert into gesta.events values (1, 'identity.user', '%s', 1, gen_random_uuid(), 'identity.user.registered', 1,
			'{"user_id":"%s","realm":"accounts","role":"CU","email":"ann@example.com","phone":"4711"}', '{"password_hash":"$2a$04$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm"}',
			'{"realm":"accounts"}', now(), now());
		insert into gesta.claims values ('%x', '%x', 'identity.user', '%[2]s')`, hasher.Fingerprint(), ann, ulid(t, ann), claim.Scope, claim.Name))
	i.verify(t, "--only", "history")
	p, api := i.serve(t, "api,relay,projector,audit")
	api.expect(409, "POST", "/users", "", registration("ann@example.com"))
	i.level(t, api)
	i.verify(t)
	refuses(t, i.env, "was written before personal data was sealed", "privacy", "forget", "--subject", ann)
	boss := api.expect(201, "POST", "/users", "", with(registration("boss@example.com"), "role", "BO"))
	token := api.expect(200, "POST", "/auth/login", "", credentials("boss@example.com")).field("access_token")
	api.expect(200, "PUT", "/users/"+ann, token, map[string]string{"phone": "marker-phone"})
	i.level(t, api)
	i.verify(t)
	refuses(t, i.env, "was written before personal data was sealed", "privacy", "forget", "--subject", ann)
	i.exec(t, `update gesta.head set sealed_after = 0`) // As if a process of the older version had gone on.
	if out, err := gesta(t, i.env, "", "verify", "--only", "history"); err == nil || !strings.Contains(out, "position 1 has something personal or secret in clear") {
		t.Errorf("%v\n%s", err, out)
	}
	mustGesta(t, i.env, "privacy", "reindex", "--sealed")
	i.verify(t, "--only", "history")
	if rows := pgtest.Rows(t, i.owner, `select data::text from gesta.events where data::text like '%marker-phone%'`); len(rows) > 0 {
		t.Errorf("%s is not sealed", rows)
	}
	api.expect(200, "GET", "/users/"+boss.field("id"), token, nil)
	refuses(t, append(slices.Clone(i.env), "GESTA_MASTER_KEY=YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcy4="), "not the master key", "verify")
	p.stop()
	i.exec(t, `delete from gesta_keys.subject_keys; delete from gesta_keys.house_keys`)
	refuses(t, i.env, "the keys of this store are not there", "serve", "--listen", "127.0.0.1:0")
}
