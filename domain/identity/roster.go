package identity

import (
	"maps"
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// ErrLastAdministrator refuses to leave a realm without anybody to run it.
var ErrLastAdministrator = &domain.Fault{
	Kind: domain.Forbidden, Code: "last_administrator", Text: "the last active administrator can't go",
}

// Facts.
type (
	// AdministratorJoined says that somebody runs the realm from now on.
	AdministratorJoined struct {
		Realm  string `json:"realm" privacy:"public"`
		UserID UserID `json:"user_id" privacy:"public"`
	}
	// AdministratorLeft says that somebody does not run the realm any more.
	AdministratorLeft struct {
		Realm  string `json:"realm" privacy:"public"`
		UserID UserID `json:"user_id" privacy:"public"`
	}
)

func (AdministratorJoined) EventType() string { return "identity.roster.administrator_joined" }
func (AdministratorLeft) EventType() string   { return "identity.roster.administrator_left" }

var rosterTypes = []domain.Type{
	domain.TypeOf[AdministratorJoined](),
	domain.TypeOf[AdministratorLeft](),
}

// Roster is who runs a realm at the moment: its active administrators. That it is one stream settles
// every race for being the first or the last of them.
type Roster struct{ active map[UserID]bool }

// RosterStream is where the facts of a realm's roster are.
func RosterStream(realm string) domain.Stream {
	return domain.Stream{Kind: "identity.roster", ID: id.Named("identity.roster/" + realm)}
}

// IsEmpty reports whether nobody runs the realm yet.
func (r Roster) IsEmpty() bool { return len(r.active) == 0 }

// Evolve is what each fact means for the roster.
func (r Roster) Evolve(e domain.Event, _ time.Time) Roster {
	active := maps.Clone(r.active)
	if active == nil {
		active = map[UserID]bool{}
	}
	switch e := e.(type) {
	case AdministratorJoined:
		active[e.UserID] = true
	case AdministratorLeft:
		delete(active, e.UserID)
	}
	return Roster{active}
}

// Commands.
type (
	// JoinRoster makes an administrator active; OnlyAsFirst refuses when there is one.
	JoinRoster struct {
		Realm       string
		User        UserID
		OnlyAsFirst bool
	}
	LeaveRoster struct {
		Realm string
		User  UserID
	}
)

func (c JoinRoster) Target() domain.Stream  { return RosterStream(c.Realm) }
func (c LeaveRoster) Target() domain.Stream { return RosterStream(c.Realm) }

// Decide lets an administrator in once.
func (c JoinRoster) Decide(r Roster) ([]domain.Event, error) {
	switch {
	case r.active[c.User]:
		return nil, nil
	case c.OnlyAsFirst && !r.IsEmpty():
		return nil, ErrForbidden
	}
	return []domain.Event{AdministratorJoined{c.Realm, c.User}}, nil
}

// Decide lets an administrator go unless it is the last one.
func (c LeaveRoster) Decide(r Roster) ([]domain.Event, error) {
	switch {
	case !r.active[c.User]:
		return nil, nil
	case len(r.active) == 1:
		return nil, ErrLastAdministrator
	}
	return []domain.Event{AdministratorLeft{c.Realm, c.User}}, nil
}
