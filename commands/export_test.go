package commands

import (
	"context"
	"time"

	"gesta/domain"
)

// Keeps tells whether a state of the stream is in memory.
func (x *Executor) Keeps(s domain.Stream) bool { return x.states.Contains(s) }

// Ask finds out who was forgotten.
func (f *Forgotten) Ask(ctx context.Context, since time.Time) time.Time { return f.ask(ctx, since) }
