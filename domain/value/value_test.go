package value_test

import (
	"strings"
	"testing"

	"gesta/domain/value"
)

func TestEmail(t *testing.T) {
	for given, want := range map[string]value.Email{
		"ann@example.com":       "ann@example.com",
		" Ann@Example.COM ":     "ann@example.com",
		"e\u0301@example.com":   "\u00e9@example.com",
		"a.b+c@sub.example.org": "a.b+c@sub.example.org",
	} {
		if got, err := value.ParseEmail(given); err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, given := range []string{
		"", "ann", "@example.com", "ann@", "ann@@example.com", "Ann <ann@example.com>", `"a b"@example.com`,
		"a@x.c*m", "a@x/y", strings.Repeat("a", 65) + "@example.com", "an\u200bn@example.com", "an\u202en@example.com", "an\u00a0n@example.com", "ann@[127.0.0.1]", "ann@example.com, bob@example.com", "a\x00@example.com", "a\n@example.com",
		"a\xff@example.com",
		strings.Repeat("a", 250) + "@b.cd",
	} {
		if got, err := value.ParseEmail(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
}

func TestPhone(t *testing.T) {
	if got, err := value.ParsePhone(" +55 11 99999-9999 "); err != nil || got != "+55 11 99999-9999" {
		t.Errorf("%q, %v", got, err)
	}
	for _, given := range []string{"", "  ", "1\n2", strings.Repeat("1", 51)} {
		if got, err := value.ParsePhone(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
}

func TestLinesOfText(t *testing.T) {
	line, lines := value.Line(2, 5), value.Lines(0, 8)
	for _, given := range []string{"Ann", "Ёжик!", "a b", "م\u200cن", "👩\u200d💻"} {
		if got, err := line(" " + given + " "); err != nil || got != given {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, given := range []string{"", " a ", "abcdef", "a\nb", "a\x00b", "a\xffb", "a\u202eb", "a\u00a0b"} {
		if got, err := line(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
	for _, given := range []string{"", "a\nb\tc", "12345678"} {
		if got, err := lines(given); err != nil || got != given {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, given := range []string{"123456789", "a\x00", "a\x1b[0m", "\xff"} {
		if got, err := lines(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
}
