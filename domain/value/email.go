// Package value holds the words that every context speaks: parsed once, then trusted.
package value

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Email is an address as ParseEmail made it: trimmed, in lower case and in Unicode's composed form (NFC),
// so that two spellings of one mailbox compare as equal.
type Email string

// The longest address that SMTP can carry in a path (RFC 5321, 4.5.3.1.3, less the angle brackets).
const (
	maxEmail = 254
	maxLocal = 64 // the part before the @
)

// ErrEmail refuses text that is no e-mail address.
var ErrEmail = errors.New("must be an e-mail address")

// ParseEmail reads an address such as "ann@example.com"; a display name or a quoted local part is
// refused.
func ParseEmail(s string) (Email, error) {
	if !utf8.ValidString(s) {
		return "", ErrEmail
	}
	s = norm.NFC.String(strings.ToLower(strings.TrimSpace(s)))
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > maxEmail || strings.ContainsAny(s, "\"<>") || strings.ContainsFunc(s, isHidden) {
		return "", ErrEmail
	}
	local, domain, _ := strings.Cut(s, "@")
	if len(local) > maxLocal || strings.ContainsFunc(domain, isNoHost) {
		return "", ErrEmail
	}
	return Email(s), nil
}

func isNoHost(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '.' && !unicode.Is(unicode.M, r)
}

// isHidden finds what nobody sees, and what would make two addresses look like one: spaces, controls,
// and marks that join or turn around.
func isHidden(r rune) bool {
	return !unicode.IsGraphic(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
}
