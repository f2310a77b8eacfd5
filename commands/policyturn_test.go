package commands

import (
	"context"
	"errors"
	"testing"
	"time"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/timers"
)

// unlucky timers can't be moved the first time.
type unlucky struct {
	timers.Memory
	failed bool
}

var errUnlucky = errors.New("connection reset")

func (u *unlucky) Move(ctx context.Context, from, to eventstore.Mark, set []timers.Timer) error {
	if !u.failed {
		u.failed = true
		return errUnlucky
	}
	return u.Memory.Move(ctx, from, to, set)
}

// Who keeps the checkpoint up does not go beyond events whose timers could not be set.
func TestTheCheckpointStaysBeforeWhatIsLeftToDo(t *testing.T) {
	t.Parallel()
	all := &unlucky{}
	turn := &policyTurn{PolicyWorker: &PolicyWorker{Timers: all}}
	one := eventstore.Mark{Position: 1, Event: id.Event{ID: id.New(time.Now())}}
	set := []timers.Timer{{Name: "p", Cause: one}}
	if err := turn.pass(t.Context(), one, set, true); !errors.Is(err, errUnlucky) {
		t.Fatal(err)
	}
	if err := turn.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at, _, err := all.Begin(t.Context()); err != nil || at != (eventstore.Mark{}) {
		t.Errorf("it is at %v without its timer: %v", at, err)
	}
	if err := turn.pass(t.Context(), one, set, true); err != nil {
		t.Fatal(err)
	}
	if due, err := all.Due(t.Context(), time.Now(), 2); err != nil || len(due) != 1 {
		t.Errorf("%v, %v", due, err)
	}
}
