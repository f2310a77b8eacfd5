package web

import (
	"strconv"
	"strings"
)

// Quality is how much a client wants something, from 0 to 1, by the values of a header such as Accept or
// Accept-Encoding; false where none of them names it.
func Quality(values []string, name string) (q float64, named bool) {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			is, params, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(is), name) {
				q, named = max(q, weight(params)), true
			}
		}
	}
	return q, named
}

// weight is the q among parameters: 1 where there is none, 0 where it is no weight.
func weight(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
