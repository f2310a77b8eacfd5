package commands

import (
	"slices"
	"sync"

	"gesta/domain/id"
)

// holds are those whose sealed data a stream is known to hold, for all states that are folded of it: they only grow.
type holds struct {
	mu       sync.Mutex
	subjects map[id.ID]struct{}
}

func (h *holds) add(subjects ...id.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range subjects {
		if h.subjects == nil {
			h.subjects = map[id.ID]struct{}{}
		}
		h.subjects[s] = struct{}{}
	}
}

// others answers those of the subjects that it is not known to hold, each once.
func (h *holds) others(subjects []id.ID) (others []id.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range subjects {
		if _, held := h.subjects[s]; !held && !slices.Contains(others, s) {
			others = append(others, s)
		}
	}
	return others
}
