package audit_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/http/audit"
)

// does has somebody of the realm do something, as by a request.
func does[S domain.State[S]](d *desk, c domain.Command[S]) {
	d.Helper()
	happens(d, domain.Meta{Actor: identity.Actor(d.ids[audit.Officer]), Realm: "audit", Surface: "audit"}, c)
}

func happens[S domain.State[S]](d *desk, by domain.Meta, c domain.Command[S]) {
	d.Helper()
	if _, err := commands.Execute(domain.WithMeta(d.Context(), by), d.stack.Identity.Executor, c); err != nil {
		d.Fatal(err)
	}
}

// moved is the consumer, who has got another address, another name, and the old address back. It answers the path of his
// stream, and the positions of his events.
func (d *desk) moved() (path string, positions []string) {
	d.Helper()
	who := d.ids[audit.Consumer]
	does(d, identity.ChangeEmail{User: who, Email: "new@example.com"})
	does(d, identity.ChangeName{User: who, Name: "Connie"})
	does(d, identity.ChangeEmail{User: who, Email: "consumer@example.com"})
	rows, err := d.stack.Store.ReadStream(d.Context(), identity.UserStream(who), 0, 100)
	if err != nil {
		d.Fatal(err)
	}
	for _, r := range rows {
		positions = append(positions, fmt.Sprint(r.Position))
	}
	return "/streams/identity.user/" + who.String(), positions
}

func TestTheExchangesOfStreams(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.inOneMinute()
	path, at := d.moved()
	d.client.Say(t, "the first events of a stream, for an auditor", d.as(audit.Auditor, "GET", path+"?limit=2"))
	d.client.Say(t, "the next ones, for an officer", d.as(audit.Officer, "GET", path+"?limit=2&after="+at[1]))
	d.client.Say(t, "the last one", d.as(audit.Officer, "GET", path+"?order=desc&limit=1"))
	d.client.Say(t, "what it was before it began", d.as(audit.Auditor, "GET", path+"/state?at=1"))
	d.client.Say(t, "what it was, for an auditor", d.as(audit.Auditor, "GET", path+"/state?at="+at[2]))
	d.client.Say(t, "what it is, for an officer", d.as(audit.Officer, "GET", path+"/state"))
	d.client.Say(t, "what it was at a time", d.as(audit.Officer, "GET", path+"/state?at=2020-01-01T00:00:00Z"))
	d.client.Say(t, "what changed, for an auditor", d.as(audit.Auditor, "GET", path+"/diff?from="+at[1]+"&to="+at[4]))
	d.client.Say(t, "what changed, in parts", d.as(audit.Officer, "GET", path+"/diff?limit=2"))
	d.client.Say(t, "the next part", d.as(audit.Officer, "GET", path+"/diff?limit=2&after="+at[1]))
	d.client.Say(t, "no such kind", d.as(audit.Auditor, "GET", strings.Replace(path, "user", "robot", 1)+"/state"))
	d.client.Say(t, "no such stream", d.as(audit.Auditor, "GET", strings.Replace(path, "user", "session", 1)))
	d.client.Say(t, "no id", d.as(audit.Auditor, "GET", "/streams/identity.user/me"))
	d.client.Say(t, "wrong bounds", d.as(audit.Auditor, "GET", path+"?after=x&before=0&order=up&limit=1001"))
	d.client.Say(t, "no point", d.as(audit.Auditor, "GET", path+"/state?at=yesterday"))
	d.client.Say(t, "no points", d.as(audit.Auditor, "GET", path+"/diff?from=a&to=b&after=c&limit=0"))
	d.client.Say(t, "backwards", d.as(audit.Auditor, "GET", path+"/diff?from=3&to=2"))
	d.client.Say(t, "a consumer reads no streams", d.as(audit.Consumer, "GET", path))
	d.client.Golden(t, "streams")
	if types := d.types(); types["audit.history.read"] != 6 { // Three parts, by two readers.
		t.Error(types)
	}
}

// Whatever is read of a stream, an auditor sees nothing personal in it, and nobody a secret.
func TestNothingPersonalIsShownToAuditors(t *testing.T) {
	t.Parallel()
	d := start(t)
	path, _ := d.moved()
	for _, what := range []string{"", "/state", "/diff"} {
		masked, clear := d.client.Do(t, d.as(audit.Auditor, "GET", path+what)), d.client.Do(t, d.as(audit.Officer, "GET", path+what))
		if strings.Contains(masked.Text, "example.com") || strings.Contains(masked.Text, "Connie") || !strings.Contains(masked.Text, "[personal]") {
			t.Error(masked.Text)
		}
		if !strings.Contains(clear.Text, "consumer@example.com") || !strings.Contains(clear.Text, "Connie") || strings.Contains(clear.Text, "[personal]") {
			t.Error(clear.Text)
		}
		if text := masked.Text + clear.Text; strings.Contains(text, "$2a$") || strings.Contains(text, "hash") || strings.Contains(text, domain.SealedPrefix) {
			t.Error(text)
		}
	}
}

// Who was forgotten is so at every point of the past.
func TestWhoWasForgottenIsForgottenInThePastAsWell(t *testing.T) {
	t.Parallel()
	d := start(t)
	path, at := d.moved()
	if a := d.client.Do(t, d.as(audit.Officer, "POST", "/subjects/"+d.ids[audit.Consumer].String()+"/forget")); a.Status != 200 {
		t.Fatal(a.Text)
	}
	for _, what := range []string{"", "/state", "/state?at=" + at[3], "/diff"} {
		a := d.client.Do(t, d.as(audit.Officer, "GET", path+what))
		if a.Status != 200 || strings.Contains(a.Text, "example.com") || !strings.Contains(a.Text, `"email":"[forgotten]"`) && !strings.Contains(a.Text, `"after":"[forgotten]"`) {
			t.Errorf("%s: %d %s", what, a.Status, a.Text)
		}
	}
	if types := d.types(); types[privacy.SubjectForgotten{}.EventType()] == 0 {
		t.Error(types)
	}
}

// The pages of a stream are what the store has, whichever way they are gone through, in either spelling of the id.
func TestAStreamIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	d := start(t)
	_, at := d.moved()
	for order, cursor := range map[string]string{"asc": "after", "desc": "before"} {
		var got []string
		for next := ""; ; {
			path := "/streams/identity.user/" + d.ids[audit.Consumer].UUID() + "?limit=2&order=" + order
			if next != "" {
				path += "&" + cursor + "=" + next
			}
			var page struct {
				Events []struct {
					Position, Version string
					RecordedAt        time.Time `json:"recorded_at"`
				}
				Next string
			}
			d.client.Do(t, d.as(audit.Auditor, "GET", path)).JSON(t, &page)
			for _, e := range page.Events {
				got = append(got, e.Position)
			}
			if next = page.Next; next == "" {
				break
			}
		}
		if order == "desc" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, at) {
			t.Errorf("%s: %v, not %v", order, got, at)
		}
	}
}

// What is shown of a state at the time an event was recorded is what is shown at its position.
func TestTimesAreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	d := start(t)
	path, _ := d.moved()
	var page struct {
		Events []struct {
			Position   string
			RecordedAt string `json:"recorded_at"`
		}
	}
	d.client.Do(t, d.as(audit.Auditor, "GET", path)).JSON(t, &page)
	for _, e := range page.Events {
		var one, other json.RawMessage
		d.client.Do(t, d.as(audit.Officer, "GET", path+"/state?at="+e.Position)).JSON(t, &one)
		d.client.Do(t, d.as(audit.Officer, "GET", path+"/state?at="+e.RecordedAt)).JSON(t, &other)
		if string(one) != string(other) {
			t.Errorf("%s, and %s", one, other)
		}
	}
}
