package value

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Phone is a telephone number as somebody wrote it down: free text without control characters.
type Phone string

const maxPhone = 50 // characters

// ErrPhone refuses text that can't be a telephone number.
var ErrPhone = errors.New("must be a phone number of at most 50 characters")

// ParsePhone reads a number such as "+5511999999999". No form is asked for, only that there is one.
func ParsePhone(s string) (Phone, error) {
	s = strings.TrimSpace(s)
	if s == "" || utf8.RuneCountInString(s) > maxPhone || strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && isHidden(r) }) {
		return "", ErrPhone
	}
	return Phone(s), nil
}
