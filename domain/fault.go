package domain

import (
	"fmt"
	"math"
	"time"
)

// Kind says what sort of refusal a fault is; each surface has its status for it.
type Kind int

// The kinds of refusal. An error that is no Fault is Internal.
const (
	Internal        Kind = iota
	Invalid              // what was said breaks a rule of form
	Unauthenticated      // nobody known is asking
	Forbidden            // somebody known may not
	NotFound             // there is no such thing, or not for the one who asks
	Conflict             // the thing is not in a state that allows it
	Outdated             // the thing is not any more what the caller believes it to be
	Unprocessable        // understood, and contradicts what the caller said before
	TooLarge             // more than is taken at once
	Unsupported          // said in a form that is not understood
	NotAllowed           // the path has no such method
	TooMany              // asked too often
	Unavailable          // cannot be answered at the moment
)

// Fault is a refusal that the caller can understand. Its text holds nothing that the caller may not see.
type Fault struct {
	Kind   Kind
	Code   string // snake_case, stable, for programs
	Text   string // lower case, for people
	Fields []Field
	Retry  time.Duration // when to ask again; zero where nothing is known
	Guess  bool          // a secret that was presented is not the right one
}

// RetrySeconds is when to ask again in whole seconds, as headers and texts say it; 0 where nothing is known.
func (f *Fault) RetrySeconds() int { return int(math.Ceil(f.Retry.Seconds())) }

// Field is what is wrong with one field, named as the caller wrote it.
type Field struct{ Name, Text string }

// ErrUnavailable refuses what can't be answered at the moment. What was asked may have been done.
var ErrUnavailable = &Fault{
	Kind: Unavailable, Code: "unavailable", Text: "temporarily unavailable", Retry: time.Second,
}

// Error is the text, with the first field that is to blame.
func (f *Fault) Error() string {
	if len(f.Fields) == 0 {
		return f.Text
	}
	return fmt.Sprintf("%s: %s %s", f.Text, f.Fields[0].Name, f.Fields[0].Text)
}

// Is compares by code, so that a fault with its fields filled in still is the one declared.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Code == f.Code
}

// In answers the same fault for the given fields.
func (f *Fault) In(fields ...Field) *Fault {
	in := *f
	in.Fields = fields
	return &in
}
