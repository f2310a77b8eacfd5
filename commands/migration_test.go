package commands_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"gesta/domain/identity"
	"gesta/eventstore/timers"
	"gesta/eventstore/wait"
	"gesta/migrations"
)

// beforePolicies is the schema's last version without them.
const beforePolicies = 2

// A migration that is taken back and made again costs no reaction: times that were waited for come, and
// what happened meanwhile is reacted to. Where policies are new, the times that events tell are all.
func TestPoliciesOutliveTheirTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		goesOn, isNew bool
		want          map[string]int
	}{
		"nobody works":     {want: map[string]int{"failed": 6, "suspected": 2, "suspicion_ended": 2}},
		"a worker goes on": {goesOn: true, want: map[string]int{"failed": 6, "suspected": 2, "suspicion_ended": 2}},
		"policies are new": {isNew: true, want: map[string]int{"failed": 6, "suspected": 1, "suspicion_ended": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newPostgresOffice(t)
			db := o.timers.(timers.Table).DB
			url, p := db.Config().ConnString(), populate(t, o.store)
			p.Realms = map[string]identity.Realm{guarded.Name: guarded}
			stop := o.guard(p)
			p.attack("ann@example.com")
			wait.Until(t, "the first is suspected", func() bool { return o.signIns()["suspected"] == 1 })
			o.level()
			if !c.goesOn {
				stop()
			}

			must(t, migrations.Down(t.Context(), url, "gesta", int(migrations.Latest()-beforePolicies)))
			p.attack("bob@example.com")
			if c.isNew {
				_, err := db.Exec(t.Context(), `delete from checkpoints`)
				must(t, err)
			}
			must(t, migrations.Up(t.Context(), url, "gesta"))
			if !c.goesOn {
				o.guard(p)
			}
			wait.Until(t, "the second is looked at", func() bool { return o.signIns()["suspected"] == c.want["suspected"] })
			o.level()
			if c.goesOn { // It finds out by itself, also when nothing else tells it.
				_, err := db.Exec(t.Context(), `truncate timers`)
				must(t, err)
			}
			p.clock.Store(int64(guarded.FailedSignIns.Within + time.Second))
			wait.Until(t, "every suspicion ends", func() bool { return o.signIns()["suspicion_ended"] == c.want["suspicion_ended"] })
			o.level()
			wait.Until(t, "nothing is left", func() bool { return o.status().Waiting == 0 })
			if got := o.signIns(); !maps.Equal(got, c.want) {
				t.Errorf("%v, not %v", got, c.want)
			}
		})
	}
}

// attack guesses until it is suspect.
func (p *population) attack(email string) {
	p.t.Helper()
	for range guarded.FailedSignIns.Failures {
		p.guess(email)
	}
}

// signIns counts the facts about them.
func (o *office) signIns() map[string]int {
	o.t.Helper()
	n := map[string]int{}
	for _, r := range facts(o.t, o.store, "identity.sign_in") {
		n[strings.TrimPrefix(r.Type, "identity.sign_in.")]++
	}
	return n
}
