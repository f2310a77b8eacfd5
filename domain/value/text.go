package value

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// IsText tells text that every store can keep: valid UTF-8 without NUL characters.
func IsText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// ErrRequired refuses nothing where something is asked for.
var ErrRequired = errors.New("is required")

// Line reads text of so many characters that stands on one line: trimmed, and without any that nobody sees.
func Line(least, most int) func(string) (string, error) {
	return bounded(least, most, isHidden)
}

// Lines reads text of so many characters that may stand on several lines.
func Lines(least, most int) func(string) (string, error) {
	return bounded(least, most, func(r rune) bool { return r != '\n' && r != '\r' && r != '\t' && isHidden(r) })
}

func bounded(least, most int, hidden func(rune) bool) func(string) (string, error) {
	return func(s string) (string, error) {
		s = strings.TrimSpace(s)
		switch n := utf8.RuneCountInString(s); {
		case n == 0 && least > 0:
			return "", ErrRequired
		case n < least || n > most:
			return "", fmt.Errorf("must have %d to %d characters", least, most)
		case !IsText(s) || strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && !isJoiner(r) && hidden(r) }):
			return "", errors.New("must be text without control characters")
		}
		return s, nil
	}
}

// isJoiner tells the two hidden characters that some scripts can't be written without, nor some emoji.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }
