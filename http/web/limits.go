package web

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits are by "<surface> <METHOD> <path>". The one for tries at an account stands under the same with "#account"
// behind it, where it differs.
type Limits map[string]Limit

const ofAccount = "#" + byAccount

// MaxWindow is the longest time that anything is counted for, since what is counted takes memory.
const MaxWindow = 24 * time.Hour

func (l Limits) account(row string) Limit {
	if own, differs := l[row+ofAccount]; differs {
		return own
	}
	return l[row]
}

// Longest is the longest window; 0 where nothing is limited.
func (l Limits) Longest() (longest time.Duration) {
	for _, limit := range l {
		longest = max(longest, limit.Per)
	}
	return longest
}

// DocumentedLimits are what the documents of surfaces say.
func DocumentedLimits(surfaces []Surface) Limits {
	return limitsOf(surfaces, func(r Route) Limit { return r.Limit })
}

// LimitCredentials limits every row of the surfaces that takes a credential.
func LimitCredentials(surfaces []Surface, l Limit) Limits {
	return limitsOf(surfaces, func(r Route) Limit {
		if r.Credential {
			return l
		}
		return Limit{}
	})
}

func limitsOf(surfaces []Surface, of func(Route) Limit) Limits {
	limits := Limits{}
	for _, s := range surfaces {
		for _, r := range s.Routes {
			if l := of(r); l.Requests > 0 {
				limits[s.row(r)] = l
			}
		}
	}
	return limits
}

// Unlimited are the rows that take a credential and have no limit, and those that name an account and have none for it.
func (l Limits) Unlimited(surfaces []Surface) (rows []string) {
	for _, s := range surfaces {
		for _, r := range s.Routes {
			switch row := s.row(r); {
			case !r.Credential:
			case l[row].Requests == 0:
				rows = append(rows, row)
			case r.Handler.account != nil && l.account(row).Requests == 0:
				rows = append(rows, row+ofAccount)
			}
		}
	}
	slices.Sort(rows)
	return rows
}

// ParseLimits reads rows such as "<surface> POST /auth/login=5/1m", separated by commas, over the given ones. A row
// is switched off by "=off", all of them by "off" alone. Behind a row that names an account, "#account" limits the
// tries at one account apart. A row that no surface has is an error.
func ParseLimits(text string, over Limits, surfaces ...Surface) (Limits, error) {
	if text == "off" {
		return Limits{}, nil
	}
	limits := Limits{}
	maps.Copy(limits, over)
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		row, limit, err := parseLimit(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(surfaces, func(s Surface) bool { return s.canLimit(row) }) {
			return nil, fmt.Errorf("there is no row %q to limit", row)
		}
		limits[row] = limit
	}
	return limits, nil
}

func parseLimit(item string) (row string, l Limit, err error) {
	row, rate, _ := strings.Cut(item, "=")
	row = strings.TrimSpace(row)
	if l, err = parseRate(strings.TrimSpace(rate)); err != nil || len(strings.Fields(row)) != 3 {
		return "", l, fmt.Errorf("%q is no rate limit such as \"<surface> POST /auth/login=5/1m\", of whole seconds, at most %s", item, MaxWindow)
	}
	return row, l, nil
}

func parseRate(text string) (l Limit, err error) {
	if text == "off" {
		return l, nil
	}
	count, per, _ := strings.Cut(text, "/")
	if l.Requests, err = strconv.Atoi(count); err != nil {
		return l, err
	}
	if l.Per, err = time.ParseDuration(per); err != nil {
		return l, err
	}
	if l.Requests < 1 || l.Per < time.Second || l.Per%time.Second != 0 || l.Per > MaxWindow {
		return l, strconv.ErrRange
	}
	return l, nil
}

// canLimit tells whether a limit can stand under a name.
func (s Surface) canLimit(name string) bool {
	row, account := strings.CutSuffix(name, ofAccount)
	return slices.ContainsFunc(s.Routes, func(r Route) bool {
		return s.row(r) == row && (!account || r.Handler.account != nil)
	})
}
