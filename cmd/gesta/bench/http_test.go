package bench

import (
	"bytes"
	"testing"
)

// Each turn counts its requests from 0. What would be asked for again would be no change, and be measured as one.
func TestChangesAreNew(t *testing.T) {
	t.Parallel()
	change := changes([]customer{{id: "1"}})
	if first := change(0); bytes.Equal(first, change(0)) {
		t.Errorf("%s twice", first)
	}
}
