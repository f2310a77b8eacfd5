package commands_test

import (
	"slices"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// A team is a stream that holds several persons: each has a badge, whose name nobody else in the world has, and the
// team has a number.
type (
	teamFounded struct {
		Number string `json:"number" privacy:"public"`
	}
	memberJoined struct {
		UserID identity.UserID `json:"user_id" privacy:"public"`
		Name   string          `json:"name" privacy:"personal:user_id"`
		Badge  string          `json:"badge" privacy:"personal:user_id"`
		Shoe   int             `json:"shoe" privacy:"public"`
	}
	team struct {
		Number         string
		Names, Badges  []string
		Shoes, Evolved int
	}
	found struct {
		Team   domain.Stream
		Number string
	}
	join struct {
		Team domain.Stream
		memberJoined
	}
)

func (teamFounded) EventType() string  { return "test.team.founded" }
func (memberJoined) EventType() string { return "test.team.member_joined" }

var (
	teamTypes      = []domain.Type{domain.TypeOf[teamFounded](), domain.TypeOf[memberJoined]()}
	teamAggregates = []domain.Aggregate{domain.AggregateOf[team]("test.team")}
	errBadge       = &domain.Fault{Kind: domain.Conflict, Code: "badge_taken", Text: "badge is taken"}
)

func (s team) Evolve(e domain.Event, _ time.Time) team {
	switch e := e.(type) {
	case teamFounded:
		s.Number = e.Number
	case memberJoined:
		s.Names, s.Badges = append(slices.Clone(s.Names), e.Name), append(slices.Clone(s.Badges), e.Badge)
		s.Shoes += e.Shoe
	}
	s.Evolved++
	return s
}

func (s team) Claims() (all []domain.Claim) {
	if s.Number != "" {
		all = append(all, domain.Claim{Scope: "team", Name: s.Number})
	}
	for _, b := range s.Badges {
		all = append(all, domain.Claim{Scope: "badge", Name: b})
	}
	return all
}

// Show says who is in the team, under names that are nobody's in particular.
func (s team) Show() any {
	return struct {
		Number string   `json:"number" privacy:"public"`
		Names  []string `json:"names,omitempty" privacy:"personal"`
	}{s.Number, s.Names}
}

func (team) Refuse(domain.Claim) error { return errBadge }

func (c found) Target() domain.Stream { return c.Team }
func (c join) Target() domain.Stream  { return c.Team }

func (c found) Decide(team) ([]domain.Event, error) {
	return []domain.Event{teamFounded{c.Number}}, nil
}
func (c join) Decide(team) ([]domain.Event, error) { return []domain.Event{c.memberJoined}, nil }

func teamStream(name string) domain.Stream {
	return domain.Stream{Kind: "test.team", ID: id.Named(name)}
}

func (p *population) found(name string) {
	p.t.Helper()
	_, err := commands.Execute(p.t.Context(), p.Executor, found{teamStream(name), name})
	must(p.t, err)
}

func (p *population) join(name string, u identity.UserID, badge string) error {
	_, err := commands.Execute(p.t.Context(), p.Executor, join{teamStream(name), memberJoined{u, "Name of " + badge, badge, 40}})
	return err
}

func (p *population) team(name string) team {
	p.t.Helper()
	s, err := commands.State[team](p.t.Context(), p.Executor, teamStream(name))
	must(p.t, err)
	return s
}
