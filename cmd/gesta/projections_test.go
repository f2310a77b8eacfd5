package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
	"gesta/projections"
)

// An event that can't be written keeps back its stream alone, and everybody says so; once what was in its
// way is gone, its stream is released.
func TestAParkedStream(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector")
	_, other := i.serve(t, "api")
	user := api.expect(201, "POST", "/users", "", registration("parked@example.com"))
	api.expect(201, "POST", "/users", "", registration("free@example.com"))
	token := api.expect(200, "POST", "/auth/login", "", credentials("parked@example.com")).field("access_token")
	free := api.expect(200, "POST", "/auth/login", "", credentials("free@example.com"))
	i.exec(t, `alter table gesta_read.users add constraint no_lines check (phone <> 'a line')`)

	path := "/users/" + user.field("id")
	for _, c := range []client{api, other} {
		a := c.expect(200, "PUT", path, token, map[string]string{"phone": "a line"})
		if c == other { // The same again changes nothing; the next change is held.
			a = c.expect(200, "PUT", path, token, map[string]string{"phone": "another"})
		}
		if a.header.Get("X-Read-Model") != "pending" || a.field("phone") == "+5511999999999" {
			t.Errorf("%v %s", a.header, a.text)
		}
		wait.Until(t, "another stream is not pending", func() bool { // Busy machines have late projectors.
			free = c.expect(200, "POST", "/auth/refresh", "", map[string]string{"refresh_token": free.field("refresh_token")})
			return free.header.Get("X-Read-Model") == ""
		})
	}
	if a := api.expect(200, "GET", path, token, nil); a.field("phone") != "+5511999999999" {
		t.Errorf("%s", a.text)
	}
	if a := api.expect(200, "GET", "/readyz", "", nil); a.fields["ready"] != true || !strings.Contains(a.text, `"parked":1`) {
		t.Errorf("%s", a.text)
	}
	if a := api.expect(200, "GET", "/metrics", "", nil); !strings.Contains(a.text, "gesta_projector_parked_streams 1") {
		t.Error("the metric does not know the parked stream")
	}
	reason := "SQLSTATE 23514 table users constraint no_lines"
	says(t, i.env, reason+"; 2 events held", "projections", "status")
	if out, err := gesta(t, i.env, "", "projections", "retry"); err == nil || !strings.Contains(out, reason) {
		t.Errorf("%s %v", out, err)
	}
	p.stop() // From here on the command has to do it itself.
	i.exec(t, `alter table gesta_read.users drop constraint no_lines`)
	says(t, i.env, "released identity.user/", "projections", "retry")
	if a := other.expect(200, "GET", path, token, nil); a.field("phone") != "another" {
		t.Errorf("%s", a.text)
	}
	says(t, i.env, "no stream is parked", "projections", "retry")
	refuses(t, i.env, "is no stream", "projections", "retry", "identity.user")
}

// A rebuild finds what was changed by other hands and keeps it until it is told otherwise; one that is
// killed is gone on with by whoever projects next.
func TestRebuildStory(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector")
	user := api.expect(201, "POST", "/users", "", registration("rebuilt@example.com"))
	i.exec(t, `update gesta_read.users set phone = 'x'`)
	out, err := gesta(t, i.env, "", "projections", "rebuild")
	if err == nil || !strings.Contains(err.Error(), "the old read models are kept") || !strings.Contains(out, "users "+user.field("id")+": phone") {
		t.Errorf("%s %v", out, err)
	}
	says(t, i.env, "read models rebuilt up to position", "projections", "rebuild", "--replace")
	if rows := i.rows(t); len(rows) != 1 || strings.Contains(rows[0], ",x,") {
		t.Errorf("%v", rows)
	}
	p.stop()
	start(t, i.env, "projections", "rebuild").kill()
	killed := start(t, i.env, "projections", "rebuild")
	wait.Until(t, "the rebuild is asked for", func() bool {
		return strings.Contains(mustGesta(t, i.env, "projections", "status"), "last rebuild")
	})
	killed.kill()
	_, api = i.serve(t, "api,relay,projector")
	i.level(t, api)
	wait.Until(t, "the rebuild is done", func() bool {
		return strings.HasSuffix(mustGesta(t, i.env, "projections", "status"), ": done\n")
	})
	api.expect(201, "POST", "/users", "", registration("after@example.com"))
	wait.Until(t, "nothing is left behind", func() bool {
		return len(pgtest.Rows(t, i.owner, `select nspname::text from pg_namespace where nspname like 'gesta_read%'`)) == 1
	})
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		terminal bool
		want     string
	}{
		"lines": {false, "filling 100/1000, 100 events/s, 9s left\nfilling 200/1000, 100 events/s, 8s left\ncomparing 1000/1000\n"},
		"a terminal": {true, "\r\x1b[Kfilling 0/1000\r\x1b[Kfilling 100/1000, 100 events/s, 9s left" +
			"\r\x1b[Kfilling 150/1000, 100 events/s, 9s left\r\x1b[Kfilling 200/1000, 100 events/s, 8s left\r\x1b[Kcomparing 1000/1000\r\x1b[K"},
	} {
		var out bytes.Buffer
		now := time.Unix(0, 0)
		p := &progress{out: &out, terminal: c.terminal, now: func() time.Time { return now }}
		for _, r := range []struct {
			at       time.Duration
			state    projections.RebuildState
			position int64
		}{
			{0, projections.Filling, 0},
			{time.Second, projections.Filling, 100},
			{1500 * time.Millisecond, projections.Filling, 150},
			{2 * time.Second, projections.Filling, 200},
			{8 * time.Second, projections.Comparing, 1000},
			{9 * time.Second, projections.Done, 1000},
		} {
			now = time.Unix(0, 0).Add(r.at)
			p.show(projections.Rebuild{State: r.state, Position: r.position, Target: 1000})
		}
		p.end()
		if out.String() != c.want {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}
