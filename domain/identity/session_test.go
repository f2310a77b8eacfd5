package identity_test

import (
	"testing"
	"time"

	"gesta/domain/identity"
	"gesta/domain/spec"
)

var (
	first, second = identity.HashToken("first"), identity.HashToken("second")
	week          = spec.At.Add(7 * 24 * time.Hour)

	opened    = identity.SessionOpened{SessionID: session, UserID: ann, Realm: "r", ExpiresAt: week, RefreshHash: first}
	refreshed = identity.SessionRefreshed{SessionID: session, ExpiresAt: week.Add(time.Hour), RefreshHash: second}
	signedOut = identity.SessionEnded{SessionID: session, UserID: ann, Reason: identity.SignedOut}
)

func refresh(presented identity.TokenHash, at time.Time) identity.RefreshSession {
	return identity.RefreshSession{
		Session: session, Presented: presented, Next: second, At: at, ExpiresAt: week.Add(time.Hour),
	}
}

func TestALiveSessionIsAClaim(t *testing.T) {
	open := identity.OpenSession{Session: session, User: ann, Realm: "r", Refresh: first, ExpiresAt: week}
	s := spec.Given[identity.Session]().When(open).Then(t, opened).State
	if got := s.Claims(); len(got) != 1 || got[0] != identity.SessionClaim(ann, session) {
		t.Errorf("claims: %v", got)
	}
	spec.Given[identity.Session](opened).When(open).Refused(t, identity.ErrSessionEnded)
}

func TestARefreshTokenIsSpentForTheNext(t *testing.T) {
	spec.Given[identity.Session](opened).When(refresh(first, spec.At)).Then(t, refreshed)
	spec.Given[identity.Session](opened, refreshed).When(refresh(second, spec.At)).Then(t, refreshed)
}

func TestASpentTokenEndsTheFamily(t *testing.T) {
	s := spec.Given[identity.Session](opened, refreshed).When(refresh(first, spec.At)).Then(t,
		identity.RefreshTokenReused{SessionID: session, UserID: ann},
		identity.SessionEnded{SessionID: session, UserID: ann, Reason: identity.TokenReused}).State
	if s.Lives() || len(s.Claims()) != 0 {
		t.Errorf("session: %+v", s)
	}
}

func TestAnExpiredTokenEndsTheSession(t *testing.T) {
	given := spec.Given[identity.Session](opened)
	given.When(refresh(first, week)).
		Then(t, identity.SessionEnded{SessionID: session, UserID: ann, Reason: identity.TokenExpired})
	given.When(refresh(first, week.Add(-time.Second))).Then(t, refreshed)
}

func TestAnEndedSessionIsNoLongerRefreshed(t *testing.T) {
	spec.Given[identity.Session](opened, signedOut).When(refresh(first, spec.At)).Refused(t, identity.ErrRefreshRevoked)
	expired := identity.SessionEnded{SessionID: session, UserID: ann, Reason: identity.TokenExpired}
	spec.Given[identity.Session](opened, expired).When(refresh(first, spec.At)).Refused(t, identity.ErrRefreshExpired)
	spec.Given[identity.Session]().When(refresh(first, spec.At)).Refused(t, identity.ErrSessionEnded)
}

func TestASessionEndsOnce(t *testing.T) {
	end := identity.EndSession{Session: session, Reason: identity.SignedOut}
	spec.Given[identity.Session](opened).When(end).Then(t, signedOut)
	spec.Given[identity.Session](opened, signedOut).When(end).Nothing(t)
	spec.Given[identity.Session]().When(end).Nothing(t)
}
