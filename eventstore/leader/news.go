package leader

import "time"

// News tells failures that are worth a line in the log from those that were told of: what is tried again
// and again would say the same many times.
type News struct {
	told string
	at   time.Time
}

// tellEvery is how often a failure that stays the same is news.
const tellEvery = time.Minute

// Is tells whether a failure is news, and takes it for told.
func (n *News) Is(err error) bool {
	if err.Error() == n.told && time.Since(n.at) < tellEvery {
		return false
	}
	n.told, n.at = err.Error(), time.Now()
	return true
}
