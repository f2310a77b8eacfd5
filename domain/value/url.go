package value

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// URL is the address of a page or a picture as ParseURL read it.
type URL string

const maxURL = 2048 // bytes

// ErrURL refuses text that is no address of a page.
var ErrURL = errors.New("must be an http or https URL of at most 2048 bytes")

// ParseURL reads an address such as "https://example.com/ann". It names a host, and nobody who signs in there.
func ParseURL(s string) (URL, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxURL || !utf8.ValidString(s) || strings.ContainsFunc(s, isHidden) || strings.ContainsAny(s, `"<>\`) {
		return "", ErrURL
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", ErrURL
	}
	return URL(s), nil
}
