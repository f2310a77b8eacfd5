package commands

import (
	"context"
	"slices"

	"gesta/domain"
	"gesta/eventstore"
)

// memory is what one command has read before its work, or had surveyed, so that the work does not read it
// again, also where it trusts nothing: the append will tell if a stream has moved since, and only then is it worth
// another question.
type memory struct {
	versions map[domain.Stream]int64
	tails    map[domain.Stream]surveyed // which nobody has folded yet
	holders  map[string][]domain.Stream // by scope
}

type surveyed struct {
	after  int64
	events []eventstore.Recorded
}

type memoryKey struct{}

// remembering answers a context for one command, and one goroutine.
func remembering(ctx context.Context) context.Context {
	m := &memory{}
	m.forget()
	return context.WithValue(ctx, memoryKey{}, m)
}

// memoryOf is nil where nothing is remembered.
func memoryOf(ctx context.Context) *memory {
	m, _ := ctx.Value(memoryKey{}).(*memory)
	return m
}

// forget follows a conflict.
func (m *memory) forget() {
	if m != nil {
		*m = memory{map[domain.Stream]int64{}, map[domain.Stream]surveyed{}, map[string][]domain.Stream{}}
	}
}

func (m *memory) remember(s domain.Stream, version int64) {
	if m != nil {
		m.versions[s] = version
	}
}

// of tells at which version the command has read a stream, and whether it holds a tail that nobody has folded yet.
func (m *memory) of(s domain.Stream) (version int64, read, untold bool) {
	if m == nil {
		return 0, false, false
	}
	version, read = m.versions[s]
	_, untold = m.tails[s]
	return version, read, untold
}

// take answers the surveyed tail of a stream once: then its state is known. What must be read anew has
// moved, and who held what is asked anew as well.
func (m *memory) take(s domain.Stream, after int64) (events []eventstore.Recorded, ok bool) {
	if m == nil {
		return nil, false
	}
	t, ok := m.tails[s]
	delete(m.tails, s)
	if !ok || t.after != after {
		clear(m.holders)
		return nil, false
	}
	m.remember(s, after)
	if n := len(t.events); n > 0 {
		m.remember(s, t.events[n-1].Version)
	}
	return t.events, true
}

// survey asks at once for the tails of streams and then for the holders in a scope, if any is named, for a
// command that remembers.
func (x *Executor) survey(ctx context.Context, scope string, streams ...domain.Stream) error {
	m, q := memoryOf(ctx), eventstore.Survey{}
	if m == nil {
		return nil
	}
	for _, s := range streams {
		f, _ := x.states.Get(s)
		q.Tails = append(q.Tails, eventstore.Tail{Stream: s, After: max(f.version-1, 0), Limit: page + 1})
	}
	if scope != "" {
		q.Scopes = append(q.Scopes, x.Claims.Scope(scope))
	}
	a, err := x.ask(ctx, q)
	if err != nil {
		return unavailable(err)
	}
	for i, t := range q.Tails {
		m.tails[t.Stream] = surveyed{t.After, a.Tails[i]}
	}
	if scope != "" {
		m.holders[scope] = a.Holders[0]
	}
	return nil
}

// holders answers all streams that hold a claim in a scope, as of when the streams that the work has looked
// at were read, or later.
func (w *Work) holders(scope string) ([]domain.Stream, error) {
	if m := memoryOf(w.ctx); m != nil {
		if known, surveyed := m.holders[scope]; surveyed {
			return slices.Clone(known), nil
		}
	}
	return w.x.Holders(w.ctx, scope)
}

// recall answers the state that the command has read, or one that is kept if the work trusts those, or loads it:
// also where somebody here has written on the stream since it was read.
func recall[S domain.State[S]](w *Work, s domain.Stream) (f folded, trusted bool, err error) {
	f, _ = w.x.states.Get(s)
	if _, same := f.state.(S); same {
		switch version, read, untold := memoryOf(w.ctx).of(s); {
		case read && version == f.version:
			return f, false, nil
		case w.trust && !read && !untold: // What the command has read tells of more than this stream.
			return f, true, nil
		}
	}
	f, err = load[S](w.ctx, w.x, s)
	return f, false, err
}
