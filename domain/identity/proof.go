package identity

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"gesta/domain"
)

// Refusals of proofs.
var (
	ErrWrongCode = &domain.Fault{
		Kind: domain.Invalid, Code: "wrong_code", Text: "verification failed", Guess: true,
		Fields: []domain.Field{{Name: "code", Text: "is wrong, or no longer good"}},
	}
	ErrCodeSent  = &domain.Fault{Kind: domain.TooMany, Code: "code_sent", Text: "a code was asked for a moment ago"}
	ErrNoWayToIt = &domain.Fault{Kind: domain.Conflict, Code: "no_way_to_send", Text: "there is no way to send a code to such a contact"}
)

// Who guesses at a code has so many tries. Whoever asks for another one must wait a little, and gets only so many while
// the first of them lives, whatever addresses they are for: or anybody could be flooded by way of contacts that come and go.
const (
	CodeLife      = 15 * time.Minute
	CodePause     = time.Minute
	MaxWrongCodes = 5
	MaxCodes      = 5
)

// Code is what is sent to an address to see who reads it.
type Code string

// CodeAlphabet has no two characters that look alike; CodeLength of them are a code.
const (
	CodeAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	CodeLength   = 8
)

var plainCode = strings.NewReplacer("-", "", " ", "")

// ParseCode takes a code as people write it, and refuses what can't be one.
func ParseCode(s string) (Code, error) {
	c := strings.ToUpper(plainCode.Replace(s))
	if len(c) != CodeLength || strings.Trim(c, CodeAlphabet) != "" {
		return "", fmt.Errorf("must be the %d characters that were sent", CodeLength)
	}
	return Code(c), nil
}

// Spelled is the code as people read it best.
func (c Code) Spelled() string { return string(c[:len(c)/2] + "-" + c[len(c)/2:]) }

// Proof is how far somebody has come in proving that he reads what is sent to an address.
type Proof struct {
	Code    Code      // the latest one; "" where none was sent to the address
	Asked   time.Time // when one was asked for the last time, for whatever address
	Expires time.Time
	Wrong   int // tries since then
}

// asked is another proof, of which nothing is known yet.
func asked(c Code, expires, at time.Time) Proof { return Proof{Code: c, Asked: at, Expires: expires} }

// void is what is left when the address is another one, or proven.
func (p Proof) void() Proof { return Proof{Asked: p.Asked} }

// IsOpen tells whether a code is still good, however often it may yet be tried.
func (p Proof) IsOpen(at time.Time) bool {
	return p.Code != "" && at.Before(p.Expires) && p.Wrong < MaxWrongCodes
}

// ask refuses to ask again too soon.
func (p Proof) ask(at time.Time) error {
	if p.Asked.IsZero() {
		return nil
	}
	return until(p.Asked.Add(CodePause), at)
}

// until refuses to ask before a time.
func until(t, at time.Time) error {
	if !at.Before(t) {
		return nil
	}
	soon := *ErrCodeSent
	soon.Retry = t.Sub(at)
	return &soon
}

// Codes are when somebody has asked for the latest codes: MaxCodes at most, in order.
type Codes []time.Time

func (c Codes) and(at time.Time) Codes {
	all := append(slices.Clone(c), at)
	return all[max(0, len(all)-MaxCodes):]
}

// ask refuses to ask too often.
func (c Codes) ask(at time.Time) error {
	if len(c) < MaxCodes {
		return nil
	}
	return until(c[0].Add(CodeLife), at)
}

// try compares in a time that tells nothing of the code. It refuses where no code is good any more.
func (p Proof) try(c Code, at time.Time) (right bool, err error) {
	if !p.IsOpen(at) {
		return false, ErrWrongCode
	}
	return subtle.ConstantTimeCompare([]byte(p.Code), []byte(c)) == 1, nil
}
