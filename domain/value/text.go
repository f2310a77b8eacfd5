package value

import (
	"strings"
	"unicode/utf8"
)

// IsText tells text that every store can keep: valid UTF-8 without NUL characters.
func IsText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
