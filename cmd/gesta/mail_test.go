package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gesta/eventstore/wait"
)

const promenadeUsers = "/api/v1/identity/users"

// signUp registers somebody and answers id and token.
func (c client) signUp(email string) (id, token string) {
	c.t.Helper()
	a := c.expect(201, "POST", promenadeUsers+"/register", "", map[string]string{"email": email, "name": "Ann", "password": "SecurePass123"})
	data, _ := a.fields["data"].(map[string]any)
	user, _ := data["user"].(map[string]any)
	id, _ = user["id"].(string)
	token, _ = data["access_token"].(string)
	return id, token
}

// isVerified tells what an answer says of the user's address.
func (a answer) isVerified() bool {
	data, _ := a.fields["data"].(map[string]any)
	return data["is_email_verified"] == true
}

var mailedCode = regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}`)

// Under the hardened profile an address counts as verified by a code that was sent to it, once; `gesta dev` sends into a
// folder.
func TestAnAddressIsProvenByMail(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	env, outbox := []string{"GESTA_DATA=" + data, "GESTA_PROFILE=hardened"}, filepath.Join(data, "outbox")
	d := startDev(t, env)
	id, token := d.signUp("ann@example.com")
	verify := promenadeUsers + "/" + id + "/verify-email"
	if d.expect(200, "POST", verify, token, nil).isVerified() {
		t.Error("nobody has proven anything")
	}
	var files []string
	wait.Until(t, "a message is there", func() bool {
		files, _ = filepath.Glob(filepath.Join(outbox, "*.eml"))
		return len(files) > 0
	})
	requested := installation{env: env}.exported(t, "identity.user.email_verification_requested")
	if len(requested) != 1 || len(files) != 1 || filepath.Base(files[0]) != requested[0].ID+".eml" {
		t.Fatalf("%v of %+v", files, requested)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	code := mailedCode.FindString(string(text))
	published := mustGesta(t, env, "events", "export")
	if code == "" || strings.Contains(published, code) || strings.Contains(published, strings.ReplaceAll(code, "-", "")) {
		t.Errorf("the code %q of %s is published", code, text)
	}
	d.expect(400, "POST", verify, token, map[string]string{"code": "2222-2222"})

	d.kill() // What was asked for and sent outlives it, and is not sent again.
	d = startDev(t, env)
	reacted(t, d.client)
	if files, _ := filepath.Glob(filepath.Join(outbox, "*")); len(files) != 1 {
		t.Errorf("after a restart: %v", files)
	}
	if !d.expect(200, "POST", verify, token, map[string]string{"code": code}).isVerified() {
		t.Error("the right code proves nothing")
	}
	installation{}.level(t, d.client)
	mustGesta(t, env, "verify")
}

// Where no mail is configured who starts it and who asks hear that, and the rest goes on.
func TestHardenedWithoutMail(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env = append(i.env, "GESTA_PROFILE=hardened")
	p, api := i.serve(t, "api,projector,policies")
	p.await(`("msg":"no mail is configured[^"]*GESTA_SMTP_URL)`)
	id, token := api.signUp("ann@example.com")
	if a := api.expect(503, "POST", promenadeUsers+"/"+id+"/verify-email", token, nil); !strings.Contains(a.text, "No mail is configured") {
		t.Error(a.text)
	}
	if all := i.exported(t, "identity.user.email_verification_requested"); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
