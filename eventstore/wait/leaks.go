package wait

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/goleak"
)

// NoLeaks ends a TestMain: it fails the package when goroutines are left that do not end. Those of servers
// that were stopped take their time on a busy machine.
func NoLeaks() {
	late := time.Now().Add(time.Minute)
	err := goleak.Find()
	for err != nil && time.Now().Before(late) {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
