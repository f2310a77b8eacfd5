package projections

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What is looked for: the first letters of words, of which so many count.
const (
	mostWord  = 20
	mostWords = 8
)

// ErrSearch refuses to look for nothing, or for too much.
var ErrSearch = fmt.Errorf("must have 1 to %d words", mostWords)

// ErrLongSearch refuses to look for a book.
var ErrLongSearch = errors.New("must have at most 255 characters")

// SearchWords are the beginnings of words that rows must have, all of them, to be found by a text.
func SearchWords(text string) (words []string, err error) {
	if utf8.RuneCountInString(text) > 255 {
		return nil, ErrLongSearch
	}
	for _, w := range wordsIn(text) {
		words = append(words, string(w[:min(len(w), mostWord)]))
	}
	slices.Sort(words)
	words = slices.Compact(words)
	if len(words) == 0 || len(words) > mostWords {
		return nil, ErrSearch
	}
	return words, nil
}

// beginnings are what the words of a text are found by, each once.
func beginnings(text string) []string {
	all := []string{}
	for _, w := range wordsIn(text) {
		for n := 1; n <= min(len(w), mostWord); n++ {
			all = append(all, string(w[:n]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// wordsIn are the letters and digits between all else, in lower case.
func wordsIn(text string) (all [][]rune) {
	text = norm.NFC.String(strings.ToLower(text))
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }) {
		all = append(all, []rune(w))
	}
	return all
}
