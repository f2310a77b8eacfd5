package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// damage is what an owner who goes round the triggers can do, and what undoes it.
type damage struct {
	name, do, undo string
	finds          []string
}

// lastEvent is the one that the relay has published last.
const lastEvent = `position = (select position from gesta.checkpoints where follower = 'relay')`

// keep makes the undoing of what removes or changes rows: they are put back from a copy.
func keep(table, which string) string {
	return fmt.Sprintf(`create table kept as select * from gesta.%s where %s; `, table, which)
}

func restore(table, which string) string {
	return fmt.Sprintf(`delete from gesta.%s where %s; insert into gesta.%[1]s select * from kept; drop table kept`, table, which)
}

const (
	oneMail = `name = (select min(name::text)::uuid from gesta.claims where stream_kind = 'identity.user')`
)

var damages = []damage{
	{
		"the last event is missing", keep("events", lastEvent) + `delete from gesta.events where ` + lastEvent,
		restore("events", lastEvent),
		[]string{"history: WRONG: relay has seen an event at position "},
	},
	{
		"an event is missing", keep("events", "position = {5}") + `delete from gesta.events where position = {5}`,
		restore("events", "position = {5}"),
		[]string{"history: WRONG: position {5} is missing", "states: WRONG: identity."},
	},
	{
		"events are missing", keep("events", "position in ({5}, {6})") + `delete from gesta.events where position in ({5}, {6})`,
		restore("events", "position in ({5}, {6})"),
		[]string{"history: WRONG: positions {5} to {6} are missing"},
	},
	{
		"a stream's first event is missing", keep("events", "position = {1}") + `delete from gesta.events where position = {1}`,
		restore("events", "position = {1}"),
		[]string{"history: WRONG: position {1} is missing", "version 1 is missing"},
	},
	{
		"an event can't be read", keep("events", "position = {5}") + `update gesta.events set data = '[1]' where position = {5}`,
		restore("events", "position = {5}"),
		[]string{"history: WRONG: position {5} can't be read: data is no identity."},
	},
	{
		"a sealed address is altered", keep("events", "position = {1}") +
			`update gesta.events set data = replace(data::text, '"email":"sealed:1:', '"email":"sealed:1:AAAA')::json where position = {1}`,
		restore("events", "position = {1}"),
		[]string{"history: WRONG: position {1} can't be read: data is no identity.user.registered of schema 1: field email does not open", "stream: WRONG: position {1} is changed", "projections: WRONG: "},
	},
	{
		"an address is another's", keep("events", "position = {1}") +
			`update gesta.events set data = jsonb_set(data::jsonb, '{email}', (select data::jsonb->'email' from gesta.events where type = 'identity.user.registered' and position > {1} limit 1))::json where position = {1}`,
		restore("events", "position = {1}"),
		[]string{"history: WRONG: position {1} can't be read: data is no identity.user.registered of schema 1: field email does not open", "stream: WRONG: position {1} is changed", "projections: WRONG: "},
	},
	{
		"an address was written in clear", keep("events", "position = {1}") +
			`update gesta.events set data = jsonb_set(data::jsonb, '{email}', '"other@example.com"')::json where position = {1}`,
		restore("events", "position = {1}"),
		[]string{"history: WRONG: position {1} has something personal or secret in clear", "states: WRONG: identity.user/", "the store does not have it", "claims: WRONG: the store gives a claim to identity.user/", "whose history does not hold it", "stream: WRONG: position {1} is changed", "projections: WRONG: "},
	},
	{
		"a secret is taken away", keep("events", "position = {1}") + `update gesta.events set secret = null where position = {1}`,
		restore("events", "position = {1}"),
		[]string{"history: WRONG: position {1} has something personal or secret in clear, or lacks it"},
	},
	{
		"a key is lost", `create table kept as select * from gesta_keys.subject_keys where subject = (select stream_id from gesta.events where position = {1}); delete from gesta_keys.subject_keys where subject = (select subject from kept)`,
		`insert into gesta_keys.subject_keys select * from kept; drop table kept`,
		[]string{"history: WRONG: position {1} can't be read: data is no identity.user.registered of schema 1: field email has no key", "projections: WRONG: "},
	},
	{
		"a person is not found by a stream", keep("subject_streams", "subject = (select stream_id from gesta.events where position = {1})") +
			`delete from gesta.subject_streams where subject = (select stream_id from gesta.events where position = {1})`,
		`insert into gesta.subject_streams select * from kept; drop table kept`,
		[]string{"states: WRONG: identity.user/", "and is not found by it"},
	},
	{
		"a reader would see another number", `update gesta_read.users set phone = 'x' where email = 'user0@example.com'`,
		`update gesta_read.users set phone = '0' where email = 'user0@example.com'`,
		[]string{"projections: WRONG: users", "phone"},
	},
	{
		"an event is found under another type", `update gesta.history set class = (select max(class) from gesta.history_classes) where position = {1}`,
		`update gesta.history set class = (select class from gesta.history_classes k join gesta.events e on e.type = k.type and e.stream_kind = k.stream_kind
			where e.position = {1} and k.realm = e.metadata->>'realm' and k.surface = e.metadata->>'surface') where position = {1}`,
		[]string{"index: WRONG: position {1} is not in the index as what it is"},
	},
	{
		"events are counted twice", `update gesta.history_counts set events = 2 * events where field = 'type' and key = 'identity.user.registered' and realm = 'accounts'`,
		`update gesta.history_counts set events = events / 2 where field = 'type' and key = 'identity.user.registered' and realm = 'accounts'`,
		[]string{`index: WRONG: events by type in realm "accounts", identity.user.registered: `},
	},
	{
		"an event was recorded too early", keep("events", "position = {5}") +
			`update gesta.events set recorded_at = '2001-01-01' where position = {5}`,
		restore("events", "position = {5}"),
		[]string{"history: WRONG: position {5} was recorded before position {4}"},
	},
	{
		"an event's id is another's", keep("events", "position = {5}") +
			`update gesta.events set event_id = (select event_id from gesta.events where position = {3}) where position = {5}`,
		restore("events", "position = {5}"),
		[]string{"history: WRONG: positions {3} and {5} have the same event id"},
	},
	{
		"a claim is missing", keep("claims", oneMail) + `delete from gesta.claims where ` + oneMail,
		`insert into gesta.claims select * from kept; drop table kept`,
		[]string{"holds a claim in email/accounts, and the store does not have it (scope "},
	},
	{
		"a claim too many", `insert into gesta.claims select scope, gen_random_uuid(), stream_kind, stream_id from gesta.claims where ` + oneMail,
		`delete from gesta.claims as c using gesta.claims as d where c.stream_id = d.stream_id and c.scope = d.scope and c.name <> d.name and not exists (select from kept_names k where k.name = c.name)`,
		[]string{"claims: WRONG: the store gives a claim to identity.user/", "whose history does not hold it (scope "},
	},
	{
		"a claim of nobody's", `insert into gesta.claims values (gen_random_uuid(), gen_random_uuid(), 'identity.user', gen_random_uuid())`,
		`delete from gesta.claims where not exists (select from kept_names k where k.name = claims.name)`,
		[]string{"which has no history (scope "},
	},
	{
		"a claim is another's", keep("claims", oneMail) +
			`update gesta.claims set stream_id = (select stream_id from gesta.claims where stream_kind = 'identity.user' order by name desc limit 1) where ` + oneMail,
		restore("claims", oneMail),
		[]string{"and the store gives it to identity.user/", "whose history does not hold it"},
	},
}

// from counts positions from that of what a test did first, behind what was made as the store began.
func from(before int64, text string) string {
	return regexp.MustCompile(`\{(\d+)\}`).ReplaceAllStringFunc(text, func(n string) string {
		at, _ := strconv.ParseInt(strings.Trim(n, "{}"), 10, 64) // It is a number.
		return strconv.FormatInt(before+at, 10)
	})
}

// head is the position of the last event.
func (i installation) head(t *testing.T) int64 {
	t.Helper()
	at, err := strconv.ParseInt(pgtest.Rows(t, i.owner, `select max(position)::text from gesta.events`)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Whatever is done to events and claims behind the back of the triggers is found and named; what is
// undone is no longer found.
func TestVerifyNamesEachDamage(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	before := i.head(t)
	signUps(api, 3)
	i.level(t, api)
	wait.Until(t, "the relay's checkpoint is at the end", func() bool {
		return len(pgtest.Rows(t, i.owner, `select 'at the end' from gesta.events where `+lastEvent+` and position = (select max(position) from gesta.events)`)) == 1
	})
	p.stop()
	i.verify(t)
	i.exec(t, `alter table gesta.events disable trigger all`)
	i.exec(t, `create table kept_names as select name from gesta.claims`)
	for _, d := range damages {
		i.exec(t, from(before, d.do))
		out, err := gesta(t, i.env, "", "verify")
		if err == nil {
			t.Errorf("%s: all is well", d.name)
		}
		for _, finding := range d.finds {
			if finding = from(before, finding); !strings.Contains(out, finding) {
				t.Errorf("%s: %q is not found; said was\n%s", d.name, finding, out)
			}
		}
		i.exec(t, from(before, d.undo))
	}
	i.verify(t)
	i.unknown(t, before)
}

// unknown stands for a newer program's events: they are counted, and are no damage.
func (i installation) unknown(t *testing.T, before int64) {
	t.Helper()
	i.exec(t, from(before, `update gesta.events set type = 'identity.user.promoted' where position = {1}`))
	if out := i.verify(t, "--only", "history,states,claims"); !strings.Contains(out, ", 1 of types unknown here") || !strings.Contains(out, "1 of streams not known here") {
		t.Error(out)
	}
	i.exec(t, `insert into gesta.claims select scope, gen_random_uuid(), stream_kind, gen_random_uuid() from gesta.claims, generate_series(1, 30)`)
	if out, err := gesta(t, i.env, "", "verify"); err == nil || strings.Count(out, "has no history") != maxFindings || !strings.Contains(out, "WRONG: and ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// verify expects that all is well.
func (i installation) verify(t *testing.T, args ...string) string {
	t.Helper()
	out, err := gesta(t, i.env, "", append([]string{"verify"}, args...)...)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return out
}

// signUps makes users who sign in, and one whose address changes.
func signUps(api client, users int) {
	api.t.Helper()
	for n := range users {
		email := "user" + strconv.Itoa(n) + "@example.com"
		user := api.expect(201, "POST", "/users", "", registration(email))
		token := api.expect(200, "POST", "/auth/login", "", credentials(email)).field("access_token")
		api.expect(200, "PUT", "/users/"+user.field("id"), token, map[string]string{"phone": strconv.Itoa(n)})
		if n == users-1 {
			api.expect(200, "PUT", "/users/"+user.field("id"), token, map[string]string{"email": "last@example.com"})
		}
	}
}

// What nobody publishes or projects is missing where it should be.
func TestVerifyNamesWhatIsBehind(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	before := i.head(t)
	signUps(api, 1)
	i.level(t, api)
	p.stop()
	mustGesta(t, i.env, "seed", "--demo-passwords")
	out, err := gesta(t, i.env, "", "verify")
	for _, finding := range []string{"proof: WRONG: the log is at position {5}, ", "stream: WRONG: positions {6} to ", "projections: WRONG: the read models are at position {5}, ", "index: WRONG: it is at position {5}, "} {
		finding = from(before, finding)
		if err == nil || !strings.Contains(out, finding) {
			t.Errorf("%q is not found (%v); said was\n%s", finding, err, out)
		}
	}
}

// While others write, what is compared is compared as it is at one moment.
func TestVerifyFindsNothingWhileAllIsWell(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api,relay,projector,audit")
	comeAndGo(api, "user0@example.com")
	i.level(t, api) // A store whose read models are still to be made can't be verified, and is not: verify says so.
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var users atomic.Int64
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				comeAndGo(api, fmt.Sprintf("user%d@example.com", users.Add(1)))
			}
		})
	}
	for range 8 {
		i.verify(t)
	}
	stop()
	clients.Wait()
	if n := users.Load(); n < 50 {
		t.Errorf("only %d users signed in meanwhile", n)
	}
}

// comeAndGo registers, signs in and signs out.
func comeAndGo(api client, email string) {
	api.do("POST", "/users", "", registration(email))
	token := api.do("POST", "/auth/login", "", credentials(email)).field("access_token")
	if a := api.do("POST", "/auth/logout", token, nil); a.status != 204 {
		api.t.Errorf("%d %s", a.status, a.text)
	}
}
