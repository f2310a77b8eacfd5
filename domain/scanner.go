package domain

import (
	"bytes"
	"encoding/json"
	"errors"
)

// scanner goes through JSON that a store has found to be valid, and finds where things stand in it. (Package json's
// decoder takes ten times as long.) Where the text is not valid it fails, and never reads beyond it.
type scanner struct {
	text []byte
	at   int
}

var errNotJSON = errors.New("domain: not JSON")

// peek answers what comes next, but for white space; 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// takes goes over c if it comes next.
func (s *scanner) takes(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// str goes over a string, and answers it with its quotes.
func (s *scanner) str() ([]byte, error) {
	if s.peek() != '"' {
		return nil, errNotJSON
	}
	from := s.at
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return s.text[from:s.at], nil
		}
	}
	return nil, errNotJSON
}

// skip goes over any value.
func (s *scanner) skip() error {
	for depth := 0; ; {
		switch s.peek() {
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case '"':
			if _, err := s.str(); err != nil {
				return err
			}
		case ',', ':':
			s.at++
		case 0:
			return errNotJSON
		default:
			s.word()
		}
		if depth == 0 {
			return nil
		}
		if depth < 0 {
			return errNotJSON
		}
	}
}

// word goes over a number, or a word such as null.
func (s *scanner) word() {
	for s.at < len(s.text) && bytes.IndexByte([]byte(" \t\n\r,:]}[{\""), s.text[s.at]) < 0 {
		s.at++
	}
}

// unquoted is what a string with quotes says.
func unquoted(quoted []byte) []byte {
	if len(quoted) >= 2 && bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return nil
	}
	return []byte(text)
}
