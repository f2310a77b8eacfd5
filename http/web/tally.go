package web

import (
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// tally is what has been counted of somebody in a window; zero where nothing is.
type tally struct {
	key   string
	limit Limit
	used  int
	ends  time.Time
}

// tighter is the one that leaves less, for longer.
func tighter(a, b tally) tally {
	switch {
	case a.limit.Requests == 0:
		return b
	case b.limit.Requests == 0 || a.left() < b.left() || a.left() == b.left() && !a.ends.Before(b.ends):
		return a
	}
	return b
}

func (t tally) left() int { return max(0, t.limit.Requests-t.used) }

// tell says in headers what is left.
func (t tally) tell(h http.Header) {
	if t.limit.Requests == 0 {
		return
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(t.limit.Requests))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(t.left()))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(t.ends.Unix(), 10))
}

// house is the address that a limit counts: of IPv6 the /64 that one customer has whole.
func house(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() || a.Is4In6() {
		return address
	}
	prefix, _ := a.WithZone("").Prefix(64) // An IPv6 address has 64 bits to keep.
	return prefix.String()
}
