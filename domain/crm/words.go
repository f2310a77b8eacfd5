package crm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"gesta/domain/value"
)

// Status is how far somebody is on the way to being a customer, or away again.
type Status string

// The words for it.
const (
	Lead     Status = "lead"
	Prospect Status = "prospect"
	Active   Status = "customer"
	Churned  Status = "churned"
)

// Statuses are in the order in which somebody goes through them.
var Statuses = []Status{Lead, Prospect, Active, Churned}

// ParseStatus reads one of the words.
func ParseStatus(s string) (Status, error) { return oneOf(Statuses, s) }

// ErrChurnedAtOnce refuses to begin with the end: that needs a reason, which only who churns gives.
var ErrChurnedAtOnce = errors.New("must be one of lead, prospect, customer: who has churned was a customer before")

// ParseFirstStatus reads what somebody may be when first heard of.
func ParseFirstStatus(s string) (Status, error) {
	if Status(s) == Churned {
		return "", ErrChurnedAtOnce
	}
	return oneOf(Statuses[:3], s)
}

// Tier is what a customer has subscribed to.
type Tier string

// The words for it.
const (
	Free       Tier = "free"
	Basic      Tier = "basic"
	Pro        Tier = "pro"
	Enterprise Tier = "enterprise"
)

// Tiers are in order, the least first.
var Tiers = []Tier{Free, Basic, Pro, Enterprise}

// ParseTier reads one of the words.
func ParseTier(s string) (Tier, error) { return oneOf(Tiers, s) }

// IsAbove tells whether t is more than o.
func (t Tier) IsAbove(o Tier) bool { return slices.Index(Tiers, t) > slices.Index(Tiers, o) }

func oneOf[W ~string](all []W, s string) (W, error) {
	if !slices.Contains(all, W(s)) {
		return "", fmt.Errorf("must be one of %s", Words(all))
	}
	return W(s), nil
}

// Words lists what may be said, for people.
func Words[W ~string](all []W) string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}

// Tag is a word that customers are grouped by, in lower case.
type Tag string

// MaxTags is how many tags a customer has at most: he is listed under each two of them.
const MaxTags = 20

// word is what tags and sources are made of.
var word = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]{0,49}$`)

// Refusals of words.
var (
	ErrWord        = errors.New("must be a word of at most 50 letters, digits, _ and -, beginning with a letter or a digit")
	ErrTooManyTags = fmt.Errorf("must be at most %d tags", MaxTags)
)

// ParseTag reads a tag, in any case.
func ParseTag(s string) (Tag, error) {
	s, err := parseWord(s)
	return Tag(s), err
}

func parseWord(s string) (string, error) {
	s = norm.NFC.String(strings.ToLower(strings.TrimSpace(s)))
	if !word.MatchString(s) {
		return "", ErrWord
	}
	return s, nil
}

// ParseTags reads tags, each of which counts once, and sorts them.
func ParseTags(all []string) ([]Tag, error) {
	var tags []Tag
	for _, s := range all {
		t, err := ParseTag(s)
		if err != nil {
			return nil, err
		}
		tags = append(tags, t)
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if len(tags) > MaxTags {
		return nil, ErrTooManyTags
	}
	return tags, nil
}

// ParseSource reads a word, in any case, for where somebody was heard of; empty for none. It is counted by, and so no
// text that could tell of anybody.
func ParseSource(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", nil
	}
	return parseWord(s)
}

// What is said of customers.
var (
	ParseName   = value.Line(1, 255)
	ParseReason = value.Lines(1, 500)
)
