package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gesta/eventstore/wait"
)

// follower is the README's program that misses nothing, and what it has printed so far.
type follower struct {
	t           *testing.T
	binary, dir string
	*process
	before string // what was printed before it was killed
}

func follow(t *testing.T, natsURL string) *follower {
	t.Helper()
	f := &follower{t: t, binary: readmeProgram(t, "follow", natsURL), dir: t.TempDir()}
	f.process = startProgram(t, f.binary, f.dir)
	return f
}

// restart kills it and starts it again. What it prints it does not keep in one transaction, as who takes
// the example at its word would: so it is not killed in between.
func (f *follower) restart(after uint64) {
	f.t.Helper()
	wait.Until(f.t, "the README's follower has kept where it is", func() bool {
		kept, err := os.ReadFile(filepath.Join(f.dir, "followed.json"))
		return err == nil && strings.Contains(string(kept), fmt.Sprintf(`"Position":%d}`, after))
	})
	f.kill()
	f.before += f.said()
	f.process = startProgram(f.t, f.binary, f.dir)
}

var dealtWith = regexp.MustCompile(`(?m)^(\d+ \d+) \w+\.\w+\.\w+$`)

// places are the epochs and positions of the events that it has dealt with.
func (f *follower) places() (all []string) {
	for _, m := range dealtWith.FindAllStringSubmatch(f.before+f.said(), -1) {
		all = append(all, m[1])
	}
	return all
}

// has waits until it has dealt with everything up to a position, and checks that this was once each.
func (f *follower) has(head uint64) {
	f.t.Helper()
	wait.Until(f.t, fmt.Sprint("the README's follower gets to ", head), func() bool { return len(f.places()) >= int(head) })
	for n, p := range f.places() {
		if p != fmt.Sprint("1 ", n+1) {
			f.t.Fatalf("the event after %d others is %s:\n%s", n, p, f.said())
		}
	}
}

// The README's follower neither repeats nor misses anything, whatever becomes of the stream; and a new epoch
// takes it back to where the histories part.
func TestTheREADMEsFollower(t *testing.T) {
	t.Parallel()
	n := startNATS(t, filepath.Join(t.TempDir(), "nats"), 0)
	i := installOn(t, n.url())
	p, api := i.serve(t, "api,relay,projector")
	f := follow(t, n.url())
	api.register("a1", "a2")
	common := i.level(t, api)
	f.has(common)
	p.stop()
	saved := i.backup(t)
	p, api = i.serve(t, "api,relay,projector")

	i.deleteStream(t)
	api.register("b1", "b2")
	f.has(i.level(t, api))

	n.stop()
	n.wipe()
	api.register("c1", "c2")
	n.start()
	api.register("c3")
	head := i.level(t, api)
	f.has(head)

	f.restart(head)
	n.kill()
	api.register("d1")
	n.start()
	head = i.level(t, api)
	f.has(head)

	p.stop()
	i.restore(t, saved, wholeDatabase...)
	mustGesta(t, i.env, "events", "fork-epoch")
	_, api = i.serve(t, "api,relay,projector")
	api.register("e1", "e2", "e3")
	now := i.level(t, api)
	want := fmt.Sprint("2 ", now)
	wait.Until(t, "the follower gets to "+want, func() bool { return strings.Contains(f.said(), "\n"+want+" ") })
	said := f.said()
	if !strings.Contains(said, fmt.Sprintf("undo everything after %d\n", common)) {
		t.Errorf("nothing is undone: %s", said)
	}
	for k, p := range f.places()[head:] {
		if p != fmt.Sprint("2 ", int(common)+k+1) {
			t.Errorf("event %d of the new epoch is %s", k, p)
		}
	}
}
