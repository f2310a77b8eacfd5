package postgres

import (
	"testing"
	"time"
)

func TestAWatchServesUntilItRunsOut(t *testing.T) {
	t.Parallel()
	var w watch
	defer w.end()
	first := w.begin(t.Context(), time.Millisecond)
	<-first.Done()
	second := w.begin(t.Context(), time.Hour)
	if second.Err() != nil {
		t.Error("a watch that has run out is used again")
	}
	if third := w.begin(t.Context(), time.Millisecond); third != second {
		t.Error("a watch that has time left is made anew")
	}
	<-second.Done()
}
