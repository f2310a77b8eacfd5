package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gesta/eventstore/wait"
)

// signUp registers somebody and answers the path that verifies the address, and a token.
func (c client) signUp(email string) (verify, token string) {
	c.t.Helper()
	a := c.expect(201, "POST", promenadeUsers+"/register", "", map[string]string{"email": email, "name": "Ann", "password": "SecurePass123"})
	return promenadeUsers + "/" + a.inside("data.user.id") + "/verify-email", a.inside("data.access_token")
}

const verifiedAddress = `"is_email_verified":true`

var mailedCode = regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}`)

// Under the hardened profile an address counts as verified by a code that was sent to it, once; `gesta dev` sends into a
// folder.
func TestAnAddressIsProvenByMail(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	env, outbox := []string{"GESTA_DATA=" + data, "GESTA_PROFILE=hardened"}, filepath.Join(data, "outbox")
	d := startDev(t, env)
	verify, token := d.signUp("ann@example.com")
	if a := d.expect(200, "POST", verify, token, nil); strings.Contains(a.text, verifiedAddress) {
		t.Errorf("nobody has proven anything: %s", a.text)
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
	if a := d.expect(200, "POST", verify, token, map[string]string{"code": code}); !strings.Contains(a.text, verifiedAddress) {
		t.Errorf("the right code proves nothing: %s", a.text)
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
	verify, token := api.signUp("ann@example.com")
	if a := api.expect(503, "POST", verify, token, nil); !strings.Contains(a.text, "No mail is configured") {
		t.Error(a.text)
	}
	if all := i.exported(t, "identity.user.email_verification_requested"); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
