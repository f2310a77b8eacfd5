package eventstore

import "sync"

// Commit is what one transaction has added to the history. After is what was last before it, without an id
// where that is not known.
type Commit struct {
	After  Mark
	Events []Recorded
}

// Since answers the events that follow a mark, if the commit is known to go on from there: the id tells that it
// does so in the same history.
func (c Commit) Since(m Mark) (events []Recorded, is bool) {
	switch i := m.Position - c.After.Position; {
	case i == 0:
		return c.Events, c.After == m
	case i > 0 && i <= int64(len(c.Events)):
		return c.Events[i:], c.Events[i-1].Mark() == m
	}
	return nil, false
}

// Last is the position of its last event.
func (c Commit) Last() int64 { return c.After.Position + int64(len(c.Events)) }

// Handoff passes events on in memory as they are committed, in order, to whoever subscribes: the relay
// and the followers of one process. It never waits: what a slow subscriber has no room for is dropped, and
// it finds the gap by the positions and reads the store.
type Handoff struct {
	mu   sync.Mutex
	subs map[chan Commit]struct{}
}

// Offer passes a commit on.
func (h *Handoff) Offer(c Commit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for to := range h.subs {
		select {
		case to <- c:
		default:
		}
	}
}

// Subscribe answers a channel with room for that many commits, and a function that ends it.
func (h *Handoff) Subscribe(room int) (commits <-chan Commit, end func()) {
	c := make(chan Commit, room)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[chan Commit]struct{}{}
	}
	h.subs[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, c)
	}
}
