package web

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gesta/domain"
)

// Limit is how often one address may use a row.
type Limit struct {
	Requests int
	Per      time.Duration
}

// Limiter counts the requests of each address to each row in fixed windows. The counts are this
// process' own.
type Limiter struct {
	Limits map[string]Limit // by "<surface> <METHOD> <path>"
	Now    func() time.Time

	mu      sync.Mutex
	windows map[window]int
	swept   time.Time
}

type window struct {
	row, address string
	ends         int64 // unix seconds
}

// errTooMany refuses whoever asks too often.
var errTooMany = &domain.Fault{Kind: domain.TooMany, Code: "rate_limit_exceeded", Text: "too many requests"}

// ParseLimits reads rows such as "<surface> POST /auth/login=5/1m", separated by commas, over the given
// ones; "off" switches all of them off. A row that no surface has is an error.
func ParseLimits(text string, over map[string]Limit, surfaces ...Surface) (map[string]Limit, error) {
	limits := map[string]Limit{}
	if text == "off" {
		return limits, nil
	}
	for row, l := range over {
		limits[row] = l
	}
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		row, limit, err := parseLimit(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(surfaces, func(s Surface) bool { return s.hasRow(row) }) {
			return nil, fmt.Errorf("there is no row %q to limit", row)
		}
		limits[row] = limit
	}
	return limits, nil
}

func parseLimit(item string) (row string, l Limit, err error) {
	row, rate, _ := strings.Cut(item, "=")
	count, per, _ := strings.Cut(rate, "/")
	l.Requests, err = strconv.Atoi(count)
	if err == nil {
		l.Per, err = time.ParseDuration(per)
	}
	if err != nil || l.Requests < 1 || l.Per < time.Second || len(strings.Fields(row)) != 3 {
		return "", l, fmt.Errorf("%q is no rate limit such as \"<surface> POST /auth/login=5/1m\"", item)
	}
	return row, l, nil
}

// allow counts a request, says in headers what is left, and refuses when nothing is.
func (l *Limiter) allow(r *Request) error {
	row := r.surface.row(r.route)
	limit, limited := l.Limits[row]
	if !limited {
		return nil
	}
	now := l.Now()
	ends := now.Truncate(limit.Per).Add(limit.Per)
	used := l.count(window{row, house(r.echo.RealIP()), ends.Unix()}, now)
	h := r.echo.Response().Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit.Requests))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, limit.Requests-used)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(ends.Unix(), 10))
	if used <= limit.Requests {
		return nil
	}
	refusal := *errTooMany
	refusal.Retry = ends.Sub(now)
	return &refusal
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

func (l *Limiter) count(w window, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil || now.Sub(l.swept) > time.Minute {
		l.sweep(now)
	}
	l.windows[w]++
	return l.windows[w]
}

// sweep forgets the windows that are over.
func (l *Limiter) sweep(now time.Time) {
	left := map[window]int{}
	for w, n := range l.windows {
		if w.ends > now.Unix() {
			left[w] = n
		}
	}
	l.windows, l.swept = left, now
}

// LimitCredentials limits every row of the surfaces that takes a credential.
func LimitCredentials(surfaces []Surface, l Limit) map[string]Limit {
	limits := map[string]Limit{}
	for _, s := range surfaces {
		for _, r := range s.Routes {
			if r.Credential {
				limits[s.row(r)] = l
			}
		}
	}
	return limits
}
