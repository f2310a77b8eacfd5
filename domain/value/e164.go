package value

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ErrE164 refuses text that is no number that could be called from everywhere.
var ErrE164 = errors.New("must be a phone number with its country code, such as +441234567890")

// spacing is what people write between the digits.
var spacing = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "")

// maxE164 is the longest number of E.164: the plus and 15 digits.
const maxE164 = 16

// ParseE164 reads a number such as "+44 (123) 456-7890" and answers it in the form of E.164, "+441234567890". It must
// begin with a plus and a country code. Its length must be one that numbers of that country have; whether anybody was
// given it is not asked for, since that changes sooner than any list of it.
func ParseE164(s string) (Phone, error) {
	p, err := e164(spacing.Replace(strings.TrimSpace(s)))
	if err != nil {
		return "", err
	}
	// A zero that is only dialled within the country is left out. Where another one follows, no number is meant.
	if again, err := e164(string(p)); err != nil || again != p {
		return "", ErrE164
	}
	return p, nil
}

func e164(s string) (Phone, error) {
	if !strings.HasPrefix(s, "+") || len(s) > maxE164 || strings.ContainsFunc(s[1:], isNoDigit) {
		return "", ErrE164
	}
	number, err := phonenumbers.Parse(s, "")
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return "", ErrE164
	}
	return Phone(phonenumbers.Format(number, phonenumbers.E164)), nil
}

func isNoDigit(r rune) bool { return r < '0' || r > '9' }
