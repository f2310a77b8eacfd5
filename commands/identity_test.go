package commands_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal/sealtest"
)

var realm = identity.Realm{
	Name: "r", Roles: []identity.Role{"boss", "member"}, Administrator: "boss", MinPassword: 1, SignUp: identity.SignUpFirst,
}

// population is the identity context over a store of its own, on a clock that the test moves.
type population struct {
	*commands.Identity
	t     *testing.T
	clock atomic.Int64 // nanoseconds after the start
}

func populate(t *testing.T, s eventstore.Store) *population {
	t.Helper()
	p := &population{t: t}
	begin := time.Now()
	now := func() time.Time { return begin.Add(time.Duration(p.clock.Load())) }
	tokens, err := commands.NewTokens(map[string]commands.Lifetimes{
		"r": {Access: time.Minute, Refresh: time.Hour}, "other": {Access: time.Minute, Refresh: time.Hour},
	}, now, "a secret for tests, and for tests only")
	must(t, err)
	x := commands.NewExecutor(s, sealtest.Vault(t, s, domain.NewCatalogue(identity.Types, crm.Types, privacy.Types, teamTypes)), commands.NewHasher(make([]byte, 32)))
	x.Now = now
	passwords, err := commands.NewPasswords(4)
	must(t, err)
	p.Identity = &commands.Identity{
		Executor: x, Passwords: passwords, Tokens: tokens, Realms: map[string]identity.Realm{realm.Name: realm},
	}
	return p
}

func (p *population) register(email, role string) (identity.UserID, error) {
	u, err := p.Register(p.t.Context(), commands.Registration{
		Realm: realm, Role: identity.Role(role), Email: value.Email(email), Phone: "1", Password: "password",
	})
	return u.ID, err
}

func (p *population) member(email string) identity.UserID {
	p.t.Helper()
	u, err := p.register(email, "member")
	must(p.t, err)
	return u
}

func (p *population) signIn(email string) commands.Grant {
	p.t.Helper()
	g, err := p.SignIn(p.t.Context(), commands.Credentials{Realm: realm, Email: value.Email(email), Password: "password"})
	must(p.t, err)
	return g
}

func (p *population) lives(g commands.Grant) bool {
	p.t.Helper()
	_, err := p.Authenticate(p.t.Context(), "r", g.Access)
	if err != nil && !errors.Is(err, commands.ErrTokenRevoked) && !errors.Is(err, commands.ErrTokenExpired) {
		p.t.Fatal(err)
	}
	return err == nil
}

func (p *population) deactivate(u identity.UserID) error {
	return p.Deactivate(p.t.Context(), commands.Deactivation{Realm: realm, User: u})
}

func TestOnlyOneIsTheFirstAdministrator(t *testing.T) {
	store := &memory.Store{}
	processes := []*population{populate(t, store), populate(t, store)}
	var first atomic.Int64
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			_, err := processes[n%2].register(fmt.Sprintf("boss%d@example.com", n), "boss")
			switch {
			case err == nil:
				first.Add(1)
			case !errors.Is(err, identity.ErrForbidden):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 {
		t.Errorf("%d were the first", first.Load())
	}
}

func TestAnAddressIsRegisteredOnceUnderARace(t *testing.T) {
	store := &memory.Store{}
	processes := []*population{populate(t, store), populate(t, store)}
	var registered atomic.Int64
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			_, err := processes[n%2].register("ann@example.com", "member")
			switch {
			case err == nil:
				registered.Add(1)
			case !errors.Is(err, identity.ErrEmailTaken):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if registered.Load() != 1 {
		t.Errorf("registered %d times", registered.Load())
	}
}

// meeting has the next appends wait for each other, so that each was decided without the others.
type meeting struct {
	eventstore.Store
	wanted atomic.Int64
	met    chan struct{}
}

func (m *meeting) next(n int64) { m.met = make(chan struct{}); m.wanted.Store(n) }

func (m *meeting) Append(ctx context.Context, a eventstore.Append) (eventstore.Receipt, error) {
	switch left := m.wanted.Add(-1); {
	case left == 0:
		close(m.met)
	case left > 0:
		<-m.met
	}
	return m.Store.Append(ctx, a)
}

func TestTheLastAdministratorStaysUnderARace(t *testing.T) {
	store := &meeting{Store: &memory.Store{}}
	p, elsewhere := populate(t, store), populate(t, store)
	first, err := p.register("first@example.com", "boss")
	must(t, err)
	second, err := p.Register(t.Context(), commands.Registration{
		Realm: realm, By: identity.Caller{Realm: "r", Role: "boss"}, Role: "boss", Email: "second@example.com", Password: "password",
	})
	must(t, err)
	var gone atomic.Int64
	var all sync.WaitGroup
	store.next(2)
	for u, p := range map[identity.UserID]*population{first: p, second.ID: elsewhere} {
		all.Go(func() {
			err := p.deactivate(u)
			switch {
			case err == nil:
				gone.Add(1)
			case !errors.Is(err, identity.ErrLastAdministrator):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if gone.Load() != 1 {
		t.Errorf("%d of two went", gone.Load())
	}
}

// However a sign-in and a deactivation meet, no session outlives the user.
func TestNobodySlipsInWhileBeingPutOut(t *testing.T) {
	store := &memory.Store{}
	processes := []*population{populate(t, store), populate(t, store)}
	for n := range 20 {
		email := fmt.Sprintf("user%d@example.com", n)
		u := processes[0].member(email)
		var grants []commands.Grant
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				g, err := processes[i%2].SignIn(t.Context(), commands.Credentials{Realm: realm, Email: value.Email(email), Password: "password"})
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					grants = append(grants, g)
				} else if !errors.Is(err, commands.ErrCredentials) {
					t.Error(err)
				}
			})
		}
		all.Go(func() { must(t, processes[1].deactivate(u)) })
		all.Wait()
		for _, g := range grants {
			if processes[0].lives(g) {
				t.Fatal("a session outlives its user")
			}
		}
	}
}

func TestOfTwoThatSpendOneRefreshTokenNeitherKeepsTheSession(t *testing.T) {
	store := &meeting{Store: &memory.Store{}}
	p, elsewhere := populate(t, store), populate(t, store)
	p.member("ann@example.com")
	g := p.signIn("ann@example.com")
	var got []commands.Grant
	var mu sync.Mutex
	var all sync.WaitGroup
	store.next(2)
	for _, p := range []*population{p, elsewhere} {
		all.Go(func() {
			next, err := p.Refresh(t.Context(), "r", g.Refresh)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, next)
			} else if !errors.Is(err, identity.ErrRefreshRevoked) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(got) != 1 || p.lives(g) || p.lives(got[0]) {
		t.Errorf("%d got new tokens; alive: %t", len(got), p.lives(g))
	}
	if _, err := p.Refresh(t.Context(), "r", got[0].Refresh); !errors.Is(err, identity.ErrRefreshRevoked) {
		t.Errorf("the winner's next refresh: %v", err)
	}
}

func TestTokensExpire(t *testing.T) {
	p := populate(t, &memory.Store{})
	p.member("ann@example.com")
	g := p.signIn("ann@example.com")
	p.clock.Store(int64(2 * time.Minute))
	if p.lives(g) {
		t.Error("an access token lives too long")
	}
	next, err := p.Refresh(t.Context(), "r", g.Refresh)
	must(t, err)
	if !p.lives(next) {
		t.Error("a refreshed session is dead")
	}
	p.clock.Store(int64(2 * time.Hour))
	if _, err := p.Refresh(t.Context(), "r", next.Refresh); !errors.Is(err, identity.ErrRefreshExpired) {
		t.Errorf("an expired refresh token: %v", err)
	}
}

func TestAnExpiredRefreshTokenEndsTheSession(t *testing.T) {
	p := populate(t, &memory.Store{})
	u := p.member("ann@example.com")
	g := p.signIn("ann@example.com")
	p.clock.Store(int64(2 * time.Hour))
	_, err := p.Refresh(t.Context(), "r", g.Refresh)
	live, err2 := p.Executor.Holders(t.Context(), identity.SessionScope(u))
	if !errors.Is(err, identity.ErrRefreshExpired) || err2 != nil || len(live) != 0 {
		t.Errorf("%v, %v, %v", err, live, err2)
	}
}

func TestWhoOpensManySessionsLosesTheOldestAndCanBePutOut(t *testing.T) {
	p := populate(t, &memory.Store{})
	boss, err := p.register("boss@example.com", "boss")
	must(t, err)
	_, err = p.Register(t.Context(), commands.Registration{
		Realm: realm, By: identity.Caller{Realm: "r", Role: "boss"}, Role: "boss", Email: "other@example.com", Password: "password",
	})
	must(t, err)
	var grants []commands.Grant
	for range 103 {
		grants = append(grants, p.signIn("boss@example.com"))
		p.clock.Add(int64(2 * time.Millisecond)) // Ids of one millisecond are in no order.
	}
	for i, alive := range map[int]bool{0: false, 2: false, 3: true, 102: true} {
		if p.lives(grants[i]) != alive {
			t.Errorf("session %d lives: %t", i, !alive)
		}
	}
	must(t, p.deactivate(boss))
	if p.lives(grants[102]) {
		t.Error("a session outlives its user")
	}
}

func TestATokenIsForOneKindAndRealm(t *testing.T) {
	p := populate(t, &memory.Store{})
	p.member("ann@example.com")
	g := p.signIn("ann@example.com")
	for _, c := range []struct{ realm, token string }{
		{"r", g.Refresh}, {"other", g.Access}, {"nowhere", g.Access}, {"r", g.Access + "x"}, {"r", ""},
	} {
		if _, err := p.Authenticate(t.Context(), c.realm, c.token); !errors.Is(err, commands.ErrToken) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := p.Refresh(t.Context(), "other", g.Refresh); !errors.Is(err, identity.ErrSessionEnded) {
		t.Errorf("refresh in another realm: %v", err)
	}
}

func TestSecretsRotate(t *testing.T) {
	caller := identity.Caller{Realm: "r", User: identity.UserID{ID: id.Named("ann")}, Session: identity.SessionID{ID: id.Named("s")}}
	lifetimes := map[string]commands.Lifetimes{"r": {Access: time.Minute}}
	const old, fresh = "the old secret, of thirty-two bytes!", "the new secret, of thirty-two bytes!"
	before, err := commands.NewTokens(lifetimes, time.Now, old)
	must(t, err)
	token, _, err := before.Sign(commands.AccessToken, caller, time.Now())
	must(t, err)
	during, err := commands.NewTokens(lifetimes, time.Now, fresh, old)
	must(t, err)
	if got, err := during.Parse(commands.AccessToken, "r", token); err != nil || got != caller {
		t.Errorf("%+v %v", got, err)
	}
	after, err := commands.NewTokens(lifetimes, time.Now, fresh)
	must(t, err)
	if _, err := after.Parse(commands.AccessToken, "r", token); !errors.Is(err, commands.ErrToken) {
		t.Errorf("%v", err)
	}
	if _, err := commands.NewTokens(lifetimes, time.Now, "short"); err == nil {
		t.Error("a short secret is taken")
	}
}

func TestANewPasswordEndsTheOtherSessions(t *testing.T) {
	p := populate(t, &memory.Store{})
	u := p.member("ann@example.com")
	here, there := p.signIn("ann@example.com"), p.signIn("ann@example.com")
	by, err := p.Authenticate(t.Context(), "r", here.Access)
	must(t, err)
	change := commands.Change{Realm: realm, By: by, User: u, Password: &commands.PasswordChange{Current: "password", New: "new"}}
	_, err = p.Change(t.Context(), change)
	must(t, err)
	if !p.lives(here) || p.lives(there) {
		t.Errorf("here %t, there %t", p.lives(here), p.lives(there))
	}
	if _, err := p.Change(t.Context(), change); !errors.Is(err, commands.ErrWrongPassword) {
		t.Errorf("the old password: %v", err)
	}
}

func TestAHashOfAnotherCostIsRenewedAtSignIn(t *testing.T) {
	store := &memory.Store{}
	before, after := populate(t, store), populate(t, store)
	u := before.member("ann@example.com")
	dearer, err := commands.NewPasswords(5)
	must(t, err)
	after.Passwords = dearer
	for range 2 {
		after.signIn("ann@example.com")
	}
	state, err := after.Get(t.Context(), "r", u)
	if err != nil || !strings.HasPrefix(state.PasswordHash, "$2a$05$") || !state.UpdatedAt.Equal(state.CreatedAt) {
		t.Errorf("%+v %v", state, err)
	}
	events, err := store.ReadStream(t.Context(), identity.UserStream(u), 0, 10)
	if err != nil || len(events) != 4 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestARefreshTokenOfAnotherStoreIsNothing(t *testing.T) {
	before, after := populate(t, &memory.Store{}), populate(t, &memory.Store{})
	before.member("ann@example.com")
	g := before.signIn("ann@example.com")
	if _, err := after.Refresh(t.Context(), "r", g.Refresh); !errors.Is(err, identity.ErrSessionEnded) {
		t.Errorf("%v", err)
	}
}

func TestNothingMayFollowALongPassword(t *testing.T) {
	p, err := commands.NewPasswords(4)
	must(t, err)
	long := strings.Repeat("y", 72)
	hash, err := p.Hash(t.Context(), long)
	must(t, err)
	for password, want := range map[string]bool{long: true, long + "z": false, long[1:]: false} {
		if ok, err := p.Match(t.Context(), hash, password); err != nil || ok != want {
			t.Errorf("%d bytes: %t %v", len(password), ok, err)
		}
	}
}

// Who has a hash from when they were cheaper must not be told by it from nobody.
func TestAnOldHashTakesAsLongAsNobodys(t *testing.T) {
	cheap, err := commands.NewPasswords(4)
	must(t, err)
	hash, err := cheap.Hash(t.Context(), "secret")
	must(t, err)
	p, err := commands.NewPasswords(9)
	must(t, err)
	old, nobody := time.Hour, time.Hour
	fastest := func(took time.Duration, hash string) time.Duration {
		began := time.Now()
		if ok, err := p.Match(t.Context(), hash, "wrong"); ok || err != nil {
			t.Fatal(ok, err)
		}
		return min(took, time.Since(began))
	}
	// A busy machine needs more tries until nothing was in the way of either.
	for try := 0; try < 5 || try < 100 && old < nobody*3/4; try++ {
		old, nobody = fastest(old, hash), fastest(nobody, "")
	}
	if old < nobody*3/4 {
		t.Errorf("%s for an old hash, %s for nobody's", old, nobody)
	}
}

func TestUsersOfOtherRealmsAreUnknown(t *testing.T) {
	p := populate(t, &memory.Store{})
	u := p.member("ann@example.com")
	other := identity.Realm{Name: "other", Administrator: "boss"}
	boss := identity.Caller{Realm: "other", Role: "boss"}
	no := false
	if _, err := p.Change(t.Context(), commands.Change{Realm: other, By: boss, User: u, Active: &no}); !errors.Is(err, identity.ErrUserNotFound) {
		t.Errorf("change: %v", err)
	}
	if err := p.Deactivate(t.Context(), commands.Deactivation{Realm: other, User: u}); !errors.Is(err, identity.ErrUserNotFound) {
		t.Errorf("deactivate: %v", err)
	}
	if _, err := p.Get(t.Context(), "other", u); !errors.Is(err, identity.ErrUserNotFound) {
		t.Errorf("get: %v", err)
	}
}

// Who would wait for too long is told at once, and the others are served.
func TestAFullLineOfPasswordsRefusesAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ cost, line int }{
		"as many wait as may": {10, 2}, "the last would wait for too long": {12, 1 << 20},
	} {
		p, err := commands.NewPasswords(c.cost)
		must(t, err)
		p.Line = c.line
		ctx, leave := context.WithCancel(t.Context())
		many := 100 * runtime.GOMAXPROCS(0)
		busy := many / 2
		told, begin := make(chan error, many), time.Now()
		for range many {
			go func() {
				_, err := p.Match(ctx, "", "password")
				told <- err
			}()
		}
		served := 0
		for refused := 0; refused < busy; {
			switch err := <-told; {
			case err == nil:
				served++
			case errors.Is(err, commands.ErrBusy):
				refused++
			default:
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took > 1900*time.Millisecond {
			t.Errorf("%s: the refusals took %v", name, took)
		}
		leave()
		for range many - busy - served {
			<-told
		}
	}
}

// While old and new programs serve side by side, an old one can't decide on what only the new one can read.
func TestWhatANewerProgramWroteIsNotDecidedUpon(t *testing.T) {
	store := &memory.Store{}
	p := populate(t, store)
	u := p.member("ann@example.com")
	stream := identity.UserStream(u)
	events, err := store.ReadStream(t.Context(), stream, 0, 10)
	must(t, err)
	_, err = store.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{{
		Stream: stream, Expect: int64(len(events)), Events: []eventstore.NewEvent{{
			ID: id.Event{ID: id.New(time.Now())}, Type: "identity.user.promoted", Schema: 1,
			Data: []byte("{}"), Meta: []byte("{}"), OccurredAt: time.Now(),
		}},
	}}})
	must(t, err)
	if _, err := p.Get(t.Context(), "r", u); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// What is made under an id that is given is not made again, not even where it was deleted.
func TestAnIDThatIsGivenIsTakenOnce(t *testing.T) {
	p := populate(t, &memory.Store{})
	given := id.Named("given")
	ann := identity.UserID{ID: given}
	hash, err := p.Passwords.Hash(t.Context(), "password")
	must(t, err)
	register := func() error {
		_, err := p.Register(t.Context(), commands.Registration{
			User: ann, Realm: realm, Role: "member", Email: value.Email(id.New(time.Now()).String() + "@example.com"), PasswordHash: hash,
		})
		return err
	}
	profile := func() error {
		_, err := p.CreateProfile(t.Context(), commands.ProfileCreation{By: caller(ann), Profile: identity.ProfileID{ID: given}, Details: named("Ann")})
		return err
	}
	contact := func() error {
		c := byMail(ann, "ann@example.com", true)
		c.Contact.ID = given
		_, err := p.CreateContact(t.Context(), c)
		return err
	}
	role := func() error {
		_, err := p.CreateRole(t.Context(), commands.NewRole{Role: identity.RoleID{ID: given}, Realm: realm, Name: "helper", DisplayName: "Helper"})
		return err
	}
	for _, makes := range []func() error{register, profile, contact, role} {
		must(t, makes())
	}
	u, err := p.Get(t.Context(), realm.Name, ann)
	must(t, err)
	p.signIn(string(u.Email)) // The password is the one that was hashed.
	must(t, p.DeleteProfile(t.Context(), commands.OwnProfile{By: caller(ann)}))
	must(t, p.DeleteContact(t.Context(), commands.OwnContact{By: caller(ann), Contact: identity.ContactID{ID: given}}))
	for n, makes := range []func() error{register, profile, contact, role} {
		if err := makes(); !errors.Is(err, commands.ErrExists) {
			t.Errorf("%d: %v", n, err)
		}
	}
}
