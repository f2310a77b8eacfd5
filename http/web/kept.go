package web

import (
	"fmt"
	"net/http"

	"gesta/domain/identity"
)

// personal are headers that tell of one request: others must not find them in a cache.
var personal = []string{"X-Client-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}

// isKept tells whether caches may keep what is shown: what a row for everybody shows to nobody known.
func (r *Request) isKept() bool { return r.route.Kept() && r.Caller == identity.Caller{} }

// keep lets anybody keep what is shown for a while.
func (r *Request) keep(h http.Header) {
	if !r.route.Kept() {
		return
	}
	h.Add("Vary", "Authorization")
	if !r.isKept() {
		return
	}
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(r.route.MaxAge.Seconds())))
	for _, name := range personal {
		h.Del(name)
	}
}
