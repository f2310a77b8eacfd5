package audit_test

import (
	"net/http"
	"strings"
	"testing"

	"gesta/domain/identity"
	"gesta/http/audit"
	"gesta/http/web"
	"gesta/http/web/webtest"
)

// reads are calls of all rows that show a part of the history, in each of their forms: those that some roles only may use.
func (d *desk) reads(each func(name string, call webtest.Call)) {
	d.Helper()
	for _, r := range d.surface.Routes {
		if r.Method != http.MethodGet || !r.Access.IsRestricted() {
			continue
		}
		path := strings.NewReplacer(":kind", "identity.user", ":realm", "audit", ":id", d.ids[audit.Auditor].String()).Replace(r.Path)
		query := "?"
		for _, p := range r.Handler.Query {
			if p.Required {
				query += p.Name + "=" + append(p.Enum, "1")[0] + "&"
			}
		}
		for _, role := range r.Access.Roles {
			for _, f := range append(r.Handler.Forms, web.Form{Type: web.JSON}) {
				call := d.as(role, r.Method, strings.TrimPrefix(path, "/audit/v1")+query)
				call.Header = map[string]string{"Accept": f.Type}
				each(string(role)+" "+r.Path+" "+f.Type, call)
			}
		}
	}
}

// What can't be recorded is not shown, and is served again once it can.
func TestNothingIsReadThatCanNotBeRecorded(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.exec(`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no space' using errcode = '53100'; end $$`)
	d.exec("create trigger refuse before insert on events for each statement execute function refuse()")
	rows := 0
	d.reads(func(name string, call webtest.Call) {
		rows++
		a := d.client.Do(t, call)
		forbidden := a.Status == 403 && strings.Contains(name, "/events")
		if a.Status != 503 && !forbidden || !webtest.IsObject(a.Text, "type", "title", "status", "detail", "code", "request_id") {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	})
	if rows < 30 {
		t.Errorf("only %d rows were asked", rows)
	}
	d.exec("drop trigger refuse on events")
	d.reads(func(name string, call webtest.Call) {
		if call.Header["Accept"] == asTail {
			return
		}
		if a := d.client.Do(t, call); a.Status >= 500 {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	})
}

func (d *desk) exec(sql string) {
	d.Helper()
	if _, err := d.stack.Store.Pool().Exec(d.Context(), sql); err != nil {
		d.Fatal(err)
	}
}

// A HEAD is not recorded as what it does not show.
func TestHEADGivesNothing(t *testing.T) {
	t.Parallel()
	d := start(t)
	subject := "/subjects/" + d.ids[audit.Auditor].String()
	for path, role := range map[string]identity.Role{subject + "/key": audit.Decryptor, subject + "/export": audit.Officer} {
		if a := d.client.Do(t, d.as(role, "HEAD", path)); a.Status != 405 || a.Header.Get("Allow") != "OPTIONS, GET" {
			t.Errorf("%s: %d %v", path, a.Status, a.Header)
		}
	}
	for _, form := range []string{asLines, asTail} {
		call := d.as(audit.Auditor, "HEAD", "/events")
		call.Header = map[string]string{"Accept": form}
		if a := d.client.Do(t, call); a.Status != 200 || a.Header.Get("Content-Type") != form || a.Text != "" {
			t.Errorf("%s: %d %v %s", form, a.Status, a.Header, a.Text)
		}
	}
	for typ, n := range d.types() {
		if strings.HasPrefix(typ, "audit.") {
			t.Errorf("%d of %s", n, typ)
		}
	}
}
