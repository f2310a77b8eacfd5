package value_test

import (
	"strings"
	"testing"

	"gesta/domain/value"
)

func TestURL(t *testing.T) {
	for given, want := range map[string]value.URL{
		"https://example.com/ann":       "https://example.com/ann",
		" http://example.com ":          "http://example.com",
		"HTTPS://example.com:8443/?a#b": "HTTPS://example.com:8443/?a#b",
		"https://[2001:db8::1]/x":       "https://[2001:db8::1]/x",
		"https://приклад.укр/я":         "https://приклад.укр/я",
	} {
		if got, err := value.ParseURL(given); err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, given := range []string{
		"", "example.com", "//example.com", "ftp://example.com", "javascript:alert(1)", "data:text/html,x", "https://", "https://:80/",
		"https:/example.com", "https:example.com", "https://ann:secret@example.com", "https://example.com/\x00", "https://example.com/a b",
		"https://example.com/\xff", "https://example.com/\u202e", `https://example.com/"onload="x`, `https://example.com\@evil.example`, "https://example.com/%zz",
		"https://example.com/" + strings.Repeat("a", 2048),
	} {
		if got, err := value.ParseURL(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
}

func FuzzURL(f *testing.F) {
	f.Add("https://example.com/ann?b=c#d")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := value.ParseURL(s)
		if err != nil {
			return
		}
		if again, err := value.ParseURL(string(u)); err != nil || again != u {
			t.Errorf("%q: %q, then %q, %v", s, u, again, err)
		}
	})
}
