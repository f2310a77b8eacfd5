package value

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseLine answers what reads one line of text, such as a name, of a number of characters; spaces around it do not
// count. It refuses characters that nobody sees.
func ParseLine(least, most int) func(string) (string, error) {
	return textOf(least, most, func(r rune) bool { return r != ' ' && isHidden(r) && !isJoiner(r) })
}

// ParseText answers what reads text that may have several lines.
func ParseText(least, most int) func(string) (string, error) {
	return textOf(least, most, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) })
}

// isJoiner tells the two characters that some scripts, and emoji, can't be written without.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

func textOf(least, most int, isWrong func(rune) bool) func(string) (string, error) {
	wrong := fmt.Errorf("must have at most %d characters, and none that nobody sees", most)
	if least > 0 {
		wrong = fmt.Errorf("must have %d to %d characters, and none that nobody sees", least, most)
	}
	return func(s string) (string, error) {
		s = strings.TrimSpace(s)
		if n := utf8.RuneCountInString(s); n < least || n > most || !IsText(s) || strings.ContainsFunc(s, isWrong) {
			return "", wrong
		}
		return s, nil
	}
}
