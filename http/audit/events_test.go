package audit_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
	"gesta/http/audit"
	"gesta/http/web/webtest"
)

const (
	asLines     = "application/x-ndjson"
	asTail      = "text/event-stream"
	asPublished = "application/cloudevents-batch+json"
)

// find is a call for events in some form, once all that has happened is found.
func (d *desk) find(role identity.Role, path string, accept ...string) webtest.Call {
	d.Helper()
	d.level()
	call := d.as(role, "GET", path)
	if len(accept) > 0 {
		call.Header = map[string]string{"Accept": accept[0]}
	}
	return call
}

func TestTheExchangesOfEvents(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.inOneMinute()
	d.inStep()
	path, at := d.moved()
	stream := strings.TrimPrefix(path, "/streams/")
	request := d.requestOf("identity.user.signed_in")
	d.level()
	d.client.Say(t, "events of a type, for an auditor", d.find(audit.Auditor, "/events?type=identity.user.*_changed&realm=audit"))
	d.client.Say(t, "a page of a stream, the last first, for an officer", d.find(audit.Officer, "/events?stream="+stream+"&order=desc&limit=2"))
	d.client.Say(t, "the next page", d.find(audit.Officer, "/events?stream="+stream+"&order=desc&limit=2&before="+at[3]))
	d.client.Say(t, "by an actor, between positions", d.find(audit.Auditor, "/events?actor=system&kind=identity.user&after="+at[0]+"&before=1000"))
	d.client.Say(t, "at a time when there was nothing", d.find(audit.Auditor, "/events?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00%2B01:00"))
	d.client.Say(t, "of a request", d.find(audit.Auditor, "/events?request_id="+request+"&surface=audit"))
	d.client.Say(t, "an export", d.find(audit.Auditor, "/events?type=*.name_changed", asLines))
	d.client.Say(t, "as published, a page", d.find(audit.Consumer, "/events?kind=identity.user&type=*_changed&limit=1&after="+at[2], asPublished))
	d.client.Say(t, "as published, the last page", d.find(audit.Decryptor, "/events?stream="+stream+"&limit=1&after="+at[3], asPublished))
	d.client.Say(t, "all that is wrong", d.find(audit.Auditor, "/events?stream=x&type=%20&request_id=x&correlation=y&after=-1&before=0&from=now&to=2020&order=up&limit=0"))
	d.client.Say(t, "a tail has no end", d.find(audit.Auditor, "/events?before=3&to=2020-01-02T00:00:00Z&order=desc", asTail))
	d.client.Say(t, "a consumer sees events as published alone", d.find(audit.Consumer, "/events"))
	d.client.Say(t, "and exports none", d.find(audit.Consumer, "/events", asLines))
	d.client.Golden(t, "events")
	if n := d.types()["audit.history.read"]; n != 5 { // Two parts by an auditor, one each by others; nothing that was refused.
		t.Errorf("%d readings are noted", n)
	}
}

// inOneMinute slows the clock of commands down, so that what is read is noted once: whenever it is looked at, a microsecond has
// passed.
func (d *desk) inOneMinute() {
	var looked atomic.Int64
	now := time.Now().Truncate(time.Minute)
	d.stack.Identity.Executor.Now = func() time.Time { return now.Add(time.Duration(looked.Add(1)) * time.Microsecond) }
}

// inStep has the index come to where the history ends when that is waited for, and no further. That somebody reads is noted
// before he does: he would find that, or not, as the index happens to be faster or slower than he is.
func (d *desk) inStep() {
	d.Helper()
	d.upTo.Store(math.MaxInt64)
	d.level()
}

// requestOf is the id of the request that has caused the first event of a type.
func (d *desk) requestOf(typ string) string {
	d.Helper()
	events, err := d.stack.Store.Read(d.Context(), 0, 10_000)
	if err != nil {
		d.Fatal(err)
	}
	i := slices.IndexFunc(events, func(e eventstore.Recorded) bool { return e.Type == typ })
	var m domain.Meta
	if err := json.Unmarshal(events[i].Meta, &m); err != nil {
		d.Fatal(err)
	}
	return m.Request
}

func TestTheExchangesOfWhoDidWhat(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.inOneMinute()
	d.inStep()
	d.moved()
	request, officer := d.requestOf("identity.user.signed_in"), d.ids[audit.Officer]
	d.client.Say(t, "what an officer did", d.find(audit.Auditor, "/actors/audit/"+officer.String()+"?limit=2"))
	d.client.Say(t, "what the system did, for an officer", d.find(audit.Officer, "/actors/audit/system?limit=1"))
	d.client.Say(t, "an actor by his whole name", d.find(audit.Auditor, "/actors/audit/user%2F"+officer.UUID()+"?limit=1"))
	d.client.Say(t, "nobody", d.find(audit.Auditor, "/actors/audit/nobody"))
	d.client.Say(t, "a wrong page", d.find(audit.Auditor, "/actors/audit/system?before=x&limit=1001"))
	d.client.Say(t, "what a request led to", d.find(audit.Auditor, "/requests/"+request))
	d.client.Say(t, "no such request", d.find(audit.Auditor, "/requests/"+id.Named("nothing").String()))
	d.client.Say(t, "no id", d.find(audit.Auditor, "/requests/me"))
	d.client.Say(t, "how many events of each type", d.find(audit.Auditor, "/summary?by=type&limit=2"))
	d.client.Say(t, "the next types", d.find(audit.Auditor, "/summary?by=type&limit=2&after=audit.history.read"))
	d.client.Say(t, "by realm", d.find(audit.Auditor, "/summary?by=realm"))
	happens(d, domain.Meta{Actor: "system", Surface: "cli"}, identity.ChangeName{User: officer, Name: "Olga"})
	d.client.Say(t, "by realm, one a page", d.find(audit.Auditor, "/summary?by=realm&limit=1"))
	d.client.Say(t, "the next realm", d.find(audit.Auditor, "/summary?by=realm&limit=1&after=-"))
	d.client.Say(t, "in no realm", d.find(audit.Auditor, "/summary?by=type&realm=-"))
	d.client.Say(t, "what is done at the command line", d.find(audit.Auditor, "/actors/-/system"))
	d.client.Say(t, "the same among all events", d.find(audit.Auditor, "/events?realm=-&actor=system&limit=1"))
	d.client.Say(t, "by actor, in a realm", d.find(audit.Auditor, "/summary?by=actor&realm=audit&limit=1000"))
	d.client.Say(t, "by what is not counted", d.find(audit.Auditor, "/summary?by=moon&limit=0"))
	d.client.Golden(t, "actors")
}

// All pages by the cursors they give are all events, each once, also as they are published.
func TestCursorsLeadThroughAllEvents(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.moved()
	d.client.Do(t, d.find(audit.Officer, "/events"))
	d.client.Do(t, d.find(audit.Consumer, "/events", asPublished))
	d.level()
	all := d.all()
	var pages, batches []string
	for path := "/events?limit=3&before=" + fmt.Sprint(len(all)+1); path != ""; {
		var p struct {
			Events []struct{ Position string }
			Next   string
		}
		d.client.Do(t, d.as(audit.Officer, "GET", path)).JSON(t, &p)
		for _, e := range p.Events {
			pages = append(pages, e.Position)
		}
		if path = ""; p.Next != "" {
			path = "/events?limit=3&before=" + fmt.Sprint(len(all)+1) + "&after=" + p.Next
		}
	}
	for path := "/audit/v1/events?limit=3&before=" + fmt.Sprint(len(all)+1); path != ""; {
		call := d.find(audit.Consumer, strings.TrimPrefix(path, "/audit/v1"), asPublished)
		a := d.client.Do(t, call)
		var events []json.RawMessage
		a.JSON(t, &events)
		for _, e := range events {
			batches = append(batches, string(e))
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
	}
	for i, e := range all {
		if i >= len(pages) || pages[i] != fmt.Sprint(e.Position) {
			t.Fatalf("position %d: %v", e.Position, pages)
		}
		if i >= len(batches) || batches[i] != string(envelope.Encode(e, 1)) {
			t.Fatalf("position %d is not as it is published", e.Position)
		}
	}
	if len(pages) != len(all) || len(batches) != len(all) {
		t.Error(len(pages), len(batches), len(all))
	}
}

func (d *desk) all() []eventstore.Recorded {
	d.Helper()
	all, err := d.stack.Store.Read(d.Context(), 0, 100_000)
	if err != nil {
		d.Fatal(err)
	}
	return all
}

// listening is a client of a tail.
type listening struct {
	*testing.T
	positions chan int64
	over      chan struct{}
	leave     func()
}

// listen begins a tail over a real connection.
func (d *desk) listen(s *httptest.Server, role identity.Role, path, last string) listening {
	d.Helper()
	ctx, leave := context.WithCancel(context.Background())
	d.Cleanup(leave)
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/audit/v1"+path, nil)
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("Accept", asTail)
	r.Header.Set("Authorization", "Bearer "+d.tokens[role])
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	a, err := s.Client().Do(r)
	if err != nil || a.StatusCode != 200 || a.Header.Get("Content-Type") != asTail {
		d.Fatal(a, err)
	}
	l := listening{d.T, make(chan int64, 10_000), make(chan struct{}), leave}
	go func() {
		defer close(l.over)
		defer a.Body.Close()
		for text := bufio.NewScanner(a.Body); text.Scan(); {
			if position, is := strings.CutPrefix(text.Text(), "id: "); is {
				n, _ := strconv.ParseInt(position, 10, 64) // It is 0 else, which no event has.
				l.positions <- n
			}
		}
	}()
	return l
}

func (l listening) hears(positions ...int64) {
	l.Helper()
	for _, want := range positions {
		select {
		case got := <-l.positions:
			if got != want {
				l.Fatalf("position %d comes instead of %d", got, want)
			}
		case <-l.over:
			l.Fatalf("it is over ahead of position %d", want)
		case <-time.After(time.Minute):
			l.Fatalf("position %d does not come", want)
		}
	}
}

func (l listening) ends() {
	l.Helper()
	select {
	case <-l.over:
	case <-time.After(time.Minute):
		l.Fatal("it goes on")
	}
}

func TestATailGoesOnWhereTheClientWas(t *testing.T) {
	t.Parallel()
	d := start(t)
	server := httptest.NewServer(d.client.Handler)
	t.Cleanup(server.Close) // When all clients have left.
	_, at := d.moved()
	positions := make([]int64, len(at))
	for i, text := range at {
		positions[i], _ = strconv.ParseInt(text, 10, 64) // It is a number.
	}
	d.level()
	path := "/events?stream=identity.user/" + d.ids[audit.Consumer].String()
	whole := d.listen(server, audit.Auditor, path+"&after=0", "")
	whole.hears(positions...)
	whole.leave()
	whole.ends()
	resumed := d.listen(server, audit.Auditor, path+"&after=0", at[1])
	resumed.hears(positions[2:]...)
	new := d.listen(server, audit.Officer, path, "")
	does(d, identity.ChangeName{User: d.ids[audit.Consumer], Name: "Cornelia"})
	head, err := d.stack.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	resumed.hears(head.Position)
	new.hears(head.Position)
	if a := d.client.Do(t, d.as(audit.Auditor, "DELETE", "/sessions")); a.Status != 204 {
		t.Fatal(a.Text)
	}
	resumed.ends() // With its session.
	does(d, identity.ChangeName{User: d.ids[audit.Consumer], Name: "Connie"})
	new.hears(head.Position + 2) // Behind the end of the session.
}

func TestAWrongPlaceToGoOnFrom(t *testing.T) {
	t.Parallel()
	d := start(t)
	call := d.find(audit.Auditor, "/events", asTail)
	call.Header["Last-Event-ID"] = "the last one"
	if a := d.client.Do(t, call); a.Status != 400 || !strings.Contains(a.Text, `"Last-Event-ID"`) {
		t.Error(a.Status, a.Text)
	}
}
