package postgres

import (
	"gesta/domain"
	"gesta/eventstore"
)

// trail is what this process has appended lately: which events its streams ended with. As long as the last one is
// in its place, so is all that was before it, whoever else writes: a batch asks the database for that one, instead
// of for what each of its events follows, which took a fifth of a large batch's time. A restore may have taken it
// back; then the batch is judged.
type trail struct {
	last eventstore.Mark
	ends map[domain.Stream]eventstore.End
}

// maxTrail bounds the memory, some 6 MB; beyond it the trail begins anew.
const maxTrail = 1 << 16

func newTrail() trail { return trail{ends: map[domain.Stream]eventstore.End{}} }

// stands reports whether what a write follows was appended by this process.
func (t *trail) stands(w eventstore.Write) bool {
	if t == nil {
		return false
	}
	is, known := t.ends[w.Stream]
	return known && is.Version == w.Expect && (w.After.IsZero() || w.After == is.Event)
}

// add takes note of what was committed, in the order of positions. The trail goes on where the batch relied on it, or
// came to stand right behind it. Else a restore may lie between them, and it begins anew.
func (t *trail) add(jobs []*job, relied bool) {
	for _, j := range jobs {
		if j.err != nil || j.events == 0 {
			continue
		}
		if !relied && j.after != t.last {
			t.forget()
		}
		relied = true
		t.last = eventstore.Mark{Position: j.receipt.Last, Event: j.lastEvent()}
		for _, w := range j.append.Writes {
			t.end(w)
		}
	}
}

func (t *trail) end(w eventstore.Write) {
	n := len(w.Events)
	if n == 0 {
		return
	}
	if len(t.ends) >= maxTrail {
		clear(t.ends)
	}
	t.ends[w.Stream] = eventstore.End{Version: w.Expect + int64(n), Event: w.Events[n-1].ID}
}

// forget follows a contradiction: it may be the trail that is wrong.
func (t *trail) forget() {
	t.last = eventstore.Mark{}
	clear(t.ends)
}
