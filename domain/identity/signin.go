package identity

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// SignInID names the attempts to sign in with one address in one realm, whether anybody has it or not.
// Only who has the key that made it can tell which address that is.
type SignInID = id.SignIn

// ErrLocked refuses to try a password where too many were wrong. It says so of any address, whether anybody has it or not.
var ErrLocked = &domain.Fault{
	Kind: domain.Unauthenticated, Code: "account_locked", Text: "account is locked after too many failed sign-ins",
}

// Facts.
type (
	// SignInFailed says that a password was wrong, an address unknown or its user inactive.
	SignInFailed struct {
		Realm  string `json:"realm" privacy:"public"`
		UserID UserID `json:"user_id,omitzero" privacy:"public"` // left out where nobody has the address
		Number int    `json:"number" privacy:"public"`           // of the failures within the realm's window, this one included
	}
	// SignInSucceeded says that the right password came after wrong ones, which count no more.
	SignInSucceeded struct {
		Realm  string `json:"realm" privacy:"public"`
		UserID UserID `json:"user_id" privacy:"public"`
	}
	// SignInLocked says that so many passwords in a row were wrong that none is tried for a while.
	SignInLocked struct {
		Realm    string    `json:"realm" privacy:"public"`
		UserID   UserID    `json:"user_id,omitzero" privacy:"public"` // left out where nobody has the address
		Failures int       `json:"failures" privacy:"public"`         // in a row
		Until    time.Time `json:"until" privacy:"public"`
	}
	// SignInUnlocked says that passwords may be tried again, and what was wrong counts no more: an administrator has said
	// so, or somebody has registered with the address.
	SignInUnlocked struct {
		Realm  string `json:"realm" privacy:"public"`
		UserID UserID `json:"user_id" privacy:"public"`
	}
	// SignInSuspected says that more sign-ins with one address have failed than the realm lets pass.
	SignInSuspected struct {
		Realm         string    `json:"realm" privacy:"public"`
		UserID        UserID    `json:"user_id,omitzero" privacy:"public"` // left out where nobody has the address
		Failures      int       `json:"failures" privacy:"public"`
		WithinSeconds int       `json:"within_seconds" privacy:"public"` // the realm's window
		Until         time.Time `json:"until" privacy:"public"`          // when the suspicion ends
	}
	// SignInSuspicionEnded says that the window of those failures is over.
	SignInSuspicionEnded struct {
		Realm  string `json:"realm" privacy:"public"`
		UserID UserID `json:"user_id,omitzero" privacy:"public"` // left out where nobody has the address
	}
)

func (SignInFailed) EventType() string         { return "identity.sign_in.failed" }
func (SignInSucceeded) EventType() string      { return "identity.sign_in.succeeded" }
func (SignInLocked) EventType() string         { return "identity.sign_in.locked" }
func (SignInUnlocked) EventType() string       { return "identity.sign_in.unlocked" }
func (SignInSuspected) EventType() string      { return "identity.sign_in.suspected" }
func (SignInSuspicionEnded) EventType() string { return "identity.sign_in.suspicion_ended" }

var signInTypes = []domain.Type{
	domain.TypeOf[SignInFailed](),
	domain.TypeOf[SignInSucceeded](),
	domain.TypeOf[SignInLocked](),
	domain.TypeOf[SignInUnlocked](),
	domain.TypeOf[SignInSuspected](),
	domain.TypeOf[SignInSuspicionEnded](),
}

// Ends is when the suspicion is over.
func (e SignInSuspected) Ends() time.Time { return e.Until }

// SignIns are the recent attempts to sign in with one address that failed.
type SignIns struct {
	failures  []time.Time // as many as the last one counted
	misses    int         // wrong passwords in a row
	locked    time.Time   // until then
	user      UserID
	until     time.Time // of the last suspicion
	suspected bool
}

// SignInStream is where the facts about the attempts on an address are.
func SignInStream(s SignInID) domain.Stream { return domain.Stream{Kind: "identity.sign_in", ID: s.ID} }

// SignInClaim is what a SignInID is made from.
func SignInClaim(realm, address string) domain.Claim {
	return domain.Claim{Scope: "sign_in/" + realm, Name: address}
}

// Evolve is what each fact means for the attempts.
func (s SignIns) Evolve(e domain.Event, at time.Time) SignIns {
	switch e := e.(type) {
	case SignInFailed:
		all := append(slices.Clone(s.failures), at)
		s.failures = all[len(all)-min(max(e.Number, 0), len(all), maxFailures):]
		s.misses++
	case SignInSucceeded:
		s.misses = 0
	case SignInLocked:
		s.misses, s.locked = 0, e.Until
	case SignInUnlocked:
		s.misses, s.locked = 0, time.Time{}
	case SignInSuspected:
		s.user, s.until, s.suspected = e.UserID, e.Until, true
	case SignInSuspicionEnded:
		s.suspected = false
	}
	return s
}

// Try refuses, with ErrLocked, to try a password while none is.
func (s SignIns) Try(at time.Time) error {
	if !at.Before(s.locked) {
		return nil
	}
	locked := *ErrLocked
	minutes := "1 minute"
	if n := int(math.Ceil(s.locked.Sub(at).Minutes())); n > 1 {
		minutes = fmt.Sprintf("%d minutes", n)
	}
	locked.Text += "; try again in " + minutes
	return &locked
}

// Commands.
type (
	// FailSignIn records an attempt that was refused, if a rule still counts it: who goes on guessing
	// makes no stream grow faster than the rule's failures in each window, or than what locks in each time it locks for.
	FailSignIn struct {
		SignIn  SignInID
		Realm   string
		User    UserID
		At      time.Time
		Rule    FailureRule
		Lockout Lockout
	}
	// SucceedSignIn follows the right password.
	SucceedSignIn struct {
		SignIn SignInID
		Realm  string
		User   UserID
		At     time.Time
	}
	UnlockSignIn struct {
		SignIn SignInID
		Realm  string
		User   UserID
		At     time.Time
	}
	// SuspectSignIn follows a failure.
	SuspectSignIn struct {
		SignIn SignInID
		Failed SignInFailed
		At     time.Time // of the failure
		Rule   FailureRule
	}
	// EndSuspicion follows a suspicion, when its time has come.
	EndSuspicion struct {
		SignIn SignInID
		Realm  string
		Until  time.Time
	}
)

func (c FailSignIn) Target() domain.Stream    { return SignInStream(c.SignIn) }
func (c SucceedSignIn) Target() domain.Stream { return SignInStream(c.SignIn) }
func (c UnlockSignIn) Target() domain.Stream  { return SignInStream(c.SignIn) }
func (c SuspectSignIn) Target() domain.Stream { return SignInStream(c.SignIn) }
func (c EndSuspicion) Target() domain.Stream  { return SignInStream(c.SignIn) }

// Decide counts the failures within the window that ends now, and those in a row. What is tried while nothing is
// counts for nothing.
func (c FailSignIn) Decide(s SignIns) ([]domain.Event, error) {
	if s.Try(c.At) != nil {
		return nil, nil
	}
	number := 1
	for _, at := range s.failures {
		if at.After(c.At.Add(-c.Rule.Within)) {
			number++
		}
	}
	if number > c.Rule.Failures && c.Lockout.IsOff() {
		return nil, nil
	}
	events := []domain.Event{SignInFailed{Realm: c.Realm, UserID: c.User, Number: number}}
	if misses := s.misses + 1; !c.Lockout.IsOff() && misses >= c.Lockout.Failures {
		events = append(events, SignInLocked{Realm: c.Realm, UserID: c.User, Failures: misses, Until: c.At.Add(c.Lockout.For)})
	}
	return events, nil
}

// Decide forgives what was wrong before.
func (c SucceedSignIn) Decide(s SignIns) ([]domain.Event, error) {
	if err := s.Try(c.At); err != nil || s.misses == 0 {
		return nil, err
	}
	return []domain.Event{SignInSucceeded{Realm: c.Realm, UserID: c.User}}, nil
}

// Decide opens what is locked, and forgives what was wrong.
func (c UnlockSignIn) Decide(s SignIns) ([]domain.Event, error) {
	if s.Try(c.At) == nil && s.misses == 0 {
		return nil, nil
	}
	return []domain.Event{SignInUnlocked{Realm: c.Realm, UserID: c.User}}, nil
}

// Decide suspects an address once for as long as the failures lie within the window.
func (c SuspectSignIn) Decide(s SignIns) ([]domain.Event, error) {
	if c.Rule.IsOff() || c.Failed.Number < c.Rule.Failures || c.At.Before(s.until) {
		return nil, nil
	}
	return []domain.Event{SignInSuspected{
		Realm: c.Failed.Realm, UserID: c.Failed.UserID, Failures: c.Failed.Number,
		WithinSeconds: int(c.Rule.Within.Seconds()), Until: c.At.Add(c.Rule.Within),
	}}, nil
}

// Decide ends the suspicion that was to last until then, and no later one.
func (c EndSuspicion) Decide(s SignIns) ([]domain.Event, error) {
	if !s.suspected || !s.until.Equal(c.Until) {
		return nil, nil
	}
	return []domain.Event{SignInSuspicionEnded{Realm: c.Realm, UserID: s.user}}, nil
}

// FailureRule says how many failures within which time make a sign-in suspect. The zero rule is off:
// failures are not even recorded.
type FailureRule struct {
	Failures int
	Within   time.Duration // whole seconds
}

// maxFailures bounds what is remembered of an address.
const maxFailures = 100

// IsOff tells whether the realm counts no failures.
func (r FailureRule) IsOff() bool { return r.Failures == 0 }

// UnmarshalText reads "5/1m", or "off".
func (r *FailureRule) UnmarshalText(text []byte) (err error) {
	r.Failures, r.Within, err = parseFailures(string(text))
	return err
}

// Lockout says how many wrong passwords in a row keep any from being tried, and for how long. The zero Lockout is off.
type Lockout struct {
	Failures int
	For      time.Duration // whole seconds
}

// IsOff tells whether the realm locks nobody out.
func (l Lockout) IsOff() bool { return l.Failures == 0 }

// UnmarshalText reads "5/30m", or "off".
func (l *Lockout) UnmarshalText(text []byte) (err error) {
	l.Failures, l.For, err = parseFailures(string(text))
	return err
}

func parseFailures(text string) (failures int, d time.Duration, err error) {
	if text == "off" {
		return 0, 0, nil
	}
	count, duration, _ := strings.Cut(text, "/")
	failures, err = strconv.Atoi(count)
	if err == nil {
		d, err = time.ParseDuration(duration)
	}
	if err != nil || failures < 1 || failures > maxFailures || d < time.Second || d%time.Second != 0 {
		return 0, 0, fmt.Errorf("%q is neither off nor such as 5/1m: 1 to %d failures and whole seconds", text, maxFailures)
	}
	return failures, d, nil
}
