// Package wait is how tests wait for what others do.
package wait

import (
	"testing"
	"time"
)

// Until waits until something is so, and fails the test when it is not within a minute: a busy machine is
// no fault. It asks a thousand times a second at first, and a hundred times later.
func Until(t testing.TB, what string, is func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for pause := time.Millisecond; !is(); pause = min(2*pause, 10*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-late:
			t.Fatalf("not in time: %s", what)
		}
	}
}
