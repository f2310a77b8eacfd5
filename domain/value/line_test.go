package value_test

import (
	"strings"
	"testing"

	"gesta/domain/value"
)

func TestLine(t *testing.T) {
	parse := value.ParseLine(2, 5)
	for given, want := range map[string]string{" Ann ": "Ann", "Ёжик!": "Ёжик!", "a b": "a b", "م\u200cن": "م\u200cن"} {
		if got, err := parse(given); err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, given := range []string{"", " a ", "abcdef", "a\nb", "a\x00b", "a\xffb", "a\u202eb", "a\u00a0b"} {
		if got, err := parse(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
}

func TestText(t *testing.T) {
	parse := value.ParseText(0, 8)
	for _, given := range []string{"", "a\nb\tc", "12345678"} {
		if got, err := parse(given); err != nil || got != given {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, given := range []string{"123456789", "a\x00", "a\x1b[0m", "\xff"} {
		if got, err := parse(given); err == nil || !strings.HasPrefix(err.Error(), "must have at most 8") {
			t.Errorf("%q is taken as %q, %v", given, got, err)
		}
	}
}
