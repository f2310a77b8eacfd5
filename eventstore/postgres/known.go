package postgres

import "gesta/domain"

// maxKnown streams are some megabytes.
const maxKnown = 1 << 16

// known remembers versions up to which streams are there. Events never go, so what was once known
// stays true, and saves the next append to the stream a look at the index.
type known map[domain.Stream]int64

// learn takes over what was committed. A full memory begins anew: what is busy is soon known again.
func (k known) learn(jobs []*job) {
	for _, j := range jobs {
		if j.err != nil {
			continue
		}
		if len(k) > maxKnown {
			clear(k)
		}
		for _, w := range j.append.Writes {
			k[w.Stream] = max(k[w.Stream], w.Expect+int64(len(w.Events)))
		}
	}
}
