package web

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// CORS says the pages of which other origins may read a surface's answers in a browser. Zero lets none.
type CORS struct {
	Origins     Origins
	Credentials bool     // they may send cookies
	Headers     []string // that they may send, beside those that every surface reads
}

// Origins are such as https://app.example.com, as browsers write them; * is any.
type Origins []string

const anyOrigin = "*"

var errAnyOrigin = errors.New("cookies can't be taken from pages of any origin: name the origins")

// Err refuses what would let any page act as whoever looks at it.
func (c CORS) Err() error {
	if c.Credentials && slices.Contains(c.Origins, anyOrigin) {
		return errAnyOrigin
	}
	return nil
}

// Allowed is what to answer an origin with as the one that is allowed, "" where it is not.
func (c CORS) Allowed(origin string) string {
	switch {
	case origin == "":
		return ""
	case !c.Credentials && slices.Contains(c.Origins, anyOrigin):
		return anyOrigin
	case origin != anyOrigin && slices.Contains(c.Origins, origin):
		return origin
	}
	return ""
}

// UnmarshalText reads origins separated by commas.
func (o *Origins) UnmarshalText(text []byte) error {
	*o = nil
	for item := range strings.SplitSeq(string(text), ",") {
		if item = strings.ToLower(strings.TrimSpace(item)); item == "" {
			continue
		}
		if !isOrigin(item) {
			return fmt.Errorf("%q is no origin such as https://app.example.com", item)
		}
		*o = append(*o, item)
	}
	return nil
}

// defaultPorts are what no browser writes.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

func isOrigin(text string) bool {
	if text == anyOrigin {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && text == u.Scheme+"://"+u.Host && !strings.Contains(u.Host, "*") &&
		(u.Port() == "" || u.Port() != defaultPorts[u.Scheme])
}
