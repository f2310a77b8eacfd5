package value_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gesta/domain/value"
)

func TestE164(t *testing.T) {
	for given, want := range map[string]value.Phone{
		"+441234567890":       "+441234567890",
		" +44 1234 567890 ":   "+441234567890",
		"+44 (123) 456-78.90": "+441234567890",
		"+380501234567":       "+380501234567",
		"+5511999999999":      "+5511999999999",
		"+1 (212) 555-0100":   "+12125550100",
		"+39 06 698 12345":    "+390669812345", // Italy keeps the zero.
		"+44 (0) 1234 567890": "+441234567890",
	} {
		if got, err := value.ParseE164(given); err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, given := range []string{
		"", "+", "+123", "441234567890", "00441234567890", "01234567890", "+44123456789012", "+44 1234 567890 ext. 5",
		"+1-800-FLOWERS", "+44\x001234567890", "+44\n1234567890", "\xff+441234567890", "++441234567890", "+44+1234567890",
		"+٤٤١٢٣٤٥٦٧٨٩٠", "+999123456789", "+3100000000000", "+" + strings.Repeat("4", 300),
	} {
		if got, err := value.ParseE164(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
}

// numbers are texts that often are numbers, spaced somehow.
var numbers = rapid.StringMatching(`\+(1|7|39|44|49|380|800|979)[ ().-]?[0-9]{3,6}[ ().-]?[0-9]{3,6}`)

func TestWhatE164AnswersParsesToItself(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		p, err := value.ParseE164(numbers.Draw(t, "number"))
		if err != nil {
			return
		}
		taken++
		if again, err := value.ParseE164(string(p)); err != nil || again != p || len(p) > 16 {
			t.Errorf("%q: %q, %v", p, again, err)
		}
	})
	if taken == 0 {
		t.Error("no number was one")
	}
}

func FuzzE164(f *testing.F) {
	f.Add("+441234567890")
	f.Add("+390669812345")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := value.ParseE164(s)
		if err != nil {
			return
		}
		if again, err := value.ParseE164(string(p)); err != nil || again != p {
			t.Errorf("%q: %q, then %q, %v", s, p, again, err)
		}
	})
}
