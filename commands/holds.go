package commands

import (
	"slices"
	"sync"

	"gesta/domain/id"
)

// holds are those whose data a stream is known to hold, for all states that are folded of it: they only grow. Most
// streams hold one person.
type holds struct {
	mu       sync.Mutex
	subjects []id.ID
	index    map[id.ID]bool // of many
}

// manySubjects is how many are looked through one by one.
const manySubjects = 16

func (h *holds) add(subjects ...id.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range subjects {
		if h.has(s) {
			continue
		}
		h.subjects = append(h.subjects, s)
		if len(h.subjects) == manySubjects {
			h.index = map[id.ID]bool{}
			for _, one := range h.subjects {
				h.index[one] = true
			}
		} else if h.index != nil {
			h.index[s] = true
		}
	}
}

func (h *holds) has(s id.ID) bool {
	if h.index != nil {
		return h.index[s]
	}
	return slices.Contains(h.subjects, s)
}

// others answers those of the subjects that it is not known to hold.
func (h *holds) others(subjects []id.ID) (others []id.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range subjects {
		if !h.has(s) && !slices.Contains(others, s) {
			others = append(others, s)
		}
	}
	return others
}
