package eventstore

import "sync"

// Handoff passes events on in memory as they are committed, in order, to whoever subscribes: the relay
// and the followers of one process. It is a hint and never waits: what a slow subscriber has no room
// for is dropped, and it finds the gap by the positions and reads the store.
type Handoff struct {
	mu   sync.Mutex
	subs map[chan []Recorded]struct{}
}

// Offer passes committed events on.
func (h *Handoff) Offer(events []Recorded) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.subs {
		select {
		case c <- events:
		default:
		}
	}
}

// Subscribe answers a channel with room for that many offers, and a function that ends it.
func (h *Handoff) Subscribe(room int) (events <-chan []Recorded, end func()) {
	c := make(chan []Recorded, room)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[chan []Recorded]struct{}{}
	}
	h.subs[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, c)
	}
}
