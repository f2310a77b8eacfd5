package identity

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/value"
)

// ProfileID names profiles.
type ProfileID = id.Profile

// Refusals.
var (
	ErrProfileNotFound = &domain.Fault{Kind: domain.NotFound, Code: "profile_not_found", Text: "profile not found"}
	ErrProfileExists   = &domain.Fault{Kind: domain.Conflict, Code: "profile_exists", Text: "there is a profile already"}
	ErrAge             = &domain.Fault{
		Kind: domain.Invalid, Code: "age", Text: "invalid request body",
		Fields: []domain.Field{{Name: "date_of_birth", Text: "must be that of somebody 13 to 120 years old"}},
	}
)

// The least and the greatest age of who has a profile, in years.
const (
	minAge = 13
	maxAge = 120
)

// ProfileDetails are what somebody says about oneself. What is nil is not said; what is empty was said, and taken back.
type ProfileDetails struct {
	DisplayName *string         `json:"display_name,omitempty" privacy:"personal:user_id"`
	FirstName   *string         `json:"first_name,omitempty" privacy:"personal:user_id"`
	MiddleName  *string         `json:"middle_name,omitempty" privacy:"personal:user_id"`
	LastName    *string         `json:"last_name,omitempty" privacy:"personal:user_id"`
	Bio         *string         `json:"bio,omitempty" privacy:"personal:user_id"`
	Avatar      *value.URL      `json:"avatar_url,omitempty" privacy:"personal:user_id"`
	Gender      *Gender         `json:"gender,omitempty" privacy:"personal:user_id"`
	BirthDate   *BirthDate      `json:"date_of_birth,omitempty" privacy:"personal:user_id"`
	TimeZone    *value.TimeZone `json:"timezone,omitempty" privacy:"personal:user_id"`
	Language    *value.Language `json:"language,omitempty" privacy:"personal:user_id"`
	Country     *value.Country  `json:"country,omitempty" privacy:"personal:user_id"`
	Website     *value.URL      `json:"website,omitempty" privacy:"personal:user_id"`
	LinkedIn    *value.URL      `json:"linkedin,omitempty" privacy:"personal:user_id"`
	Twitter     *value.URL      `json:"twitter,omitempty" privacy:"personal:user_id"`
	GitHub      *value.URL      `json:"github,omitempty" privacy:"personal:user_id"`
	Facebook    *value.URL      `json:"facebook,omitempty" privacy:"personal:user_id"`
	Instagram   *value.URL      `json:"instagram,omitempty" privacy:"personal:user_id"`
}

// What is said in a profile, beside the name that is shown (ParseDisplayName): one of somebody's names, and who he is.
var (
	ParsePersonName = value.Line(0, 50)
	ParseBio        = value.Lines(0, 500)
)

// Gender is one of a few words.
type Gender string

// Genders are the words that there are.
var Genders = []Gender{"male", "female", "other", "not_specified"}

// ParseGender refuses other words.
func ParseGender(s string) (Gender, error) {
	if !slices.Contains(Genders, Gender(s)) {
		return "", errors.New("must be one of male, female, other, not_specified")
	}
	return Gender(s), nil
}

// BirthDate is a day such as 1990-12-31.
type BirthDate string

// ParseBirthDate refuses what is no day.
func ParseBirthDate(s string) (BirthDate, error) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", errors.New("must be a date such as 1990-12-31")
	}
	return BirthDate(s), nil
}

// age is how many birthdays somebody has had. Who was born on 29 February has the next one on 1 March in other years.
func (d BirthDate) age(at time.Time) int {
	born, _ := time.Parse(time.DateOnly, string(d)) // It is one.
	at = at.UTC()
	years := at.Year() - born.Year()
	if at.Before(born.AddDate(years, 0, 0)) {
		years--
	}
	return years
}

// Facts.
type (
	// ProfileCreated says that a user has a profile. Only he sees it, unless it is made public.
	ProfileCreated struct {
		ProfileID ProfileID      `json:"profile_id" privacy:"public"`
		UserID    UserID         `json:"user_id" privacy:"public"`
		Realm     string         `json:"realm" privacy:"public"`
		Details   ProfileDetails `json:"details" privacy:"public"`
	}
	// ProfileChanged is what the user says of himself from now on; he has not said anything new about the rest.
	ProfileChanged struct {
		ProfileID ProfileID      `json:"profile_id" privacy:"public"`
		UserID    UserID         `json:"user_id" privacy:"public"`
		Details   ProfileDetails `json:"details" privacy:"public"` // those alone that are new, empty where they are taken back
	}
	// ProfileMadePublic says that everybody may see the profile.
	ProfileMadePublic struct {
		ProfileID ProfileID `json:"profile_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		Realm     string    `json:"realm" privacy:"public"`
	}
	// ProfileMadePrivate says that only the user himself may see the profile.
	ProfileMadePrivate struct {
		ProfileID ProfileID `json:"profile_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		Realm     string    `json:"realm" privacy:"public"`
	}
	// ProfileDeleted says that the profile is no more. The user may make another one.
	ProfileDeleted struct {
		ProfileID ProfileID `json:"profile_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		Realm     string    `json:"realm" privacy:"public"`
		WasPublic bool      `json:"was_public" privacy:"public"`
	}
)

func (ProfileCreated) EventType() string     { return "identity.profile.created" }
func (ProfileChanged) EventType() string     { return "identity.profile.changed" }
func (ProfileMadePublic) EventType() string  { return "identity.profile.made_public" }
func (ProfileMadePrivate) EventType() string { return "identity.profile.made_private" }
func (ProfileDeleted) EventType() string     { return "identity.profile.deleted" }

var profileTypes = []domain.Type{
	domain.TypeOf[ProfileCreated](),
	domain.TypeOf[ProfileChanged](),
	domain.TypeOf[ProfileMadePublic](),
	domain.TypeOf[ProfileMadePrivate](),
	domain.TypeOf[ProfileDeleted](),
}

// Profile is what a user shows of himself. The zero Profile is none: so is one that was deleted.
type Profile struct {
	ID                   ProfileID
	User                 UserID
	Realm                string
	Details              ProfileDetails
	Public               bool
	CreatedAt, UpdatedAt time.Time
}

// ProfileStream is where a profile's facts are.
func ProfileStream(p ProfileID) domain.Stream {
	return domain.Stream{Kind: "identity.profile", ID: p.ID}
}

// ProfileClaim is held by the one profile that a user has.
func ProfileClaim(realm string, u UserID) domain.Claim {
	return domain.Claim{Scope: "profile/" + realm, Name: u.String()}
}

// Claims are released when the profile is deleted.
func (p Profile) Claims() []domain.Claim {
	if p.ID.IsZero() {
		return nil
	}
	return []domain.Claim{ProfileClaim(p.Realm, p.User)}
}

// Refuse says that the user has another profile.
func (Profile) Refuse(domain.Claim) error { return ErrProfileExists }

// Evolve is what each fact means for the profile.
func (p Profile) Evolve(e domain.Event, at time.Time) Profile {
	switch e := e.(type) {
	case ProfileCreated:
		return Profile{ID: e.ProfileID, User: e.UserID, Realm: e.Realm, Details: e.Details, CreatedAt: at, UpdatedAt: at}
	case ProfileDeleted:
		return Profile{}
	case ProfileChanged:
		p.Details = p.Details.with(e.Details)
	case ProfileMadePublic:
		p.Public = true
	case ProfileMadePrivate:
		p.Public = false
	}
	p.UpdatedAt = at
	return p
}

// with answers d with what c says in the place of what d says.
func (d ProfileDetails) with(c ProfileDetails) ProfileDetails {
	return ProfileDetails{
		DisplayName: cmp.Or(c.DisplayName, d.DisplayName),
		FirstName:   cmp.Or(c.FirstName, d.FirstName),
		MiddleName:  cmp.Or(c.MiddleName, d.MiddleName),
		LastName:    cmp.Or(c.LastName, d.LastName),
		Bio:         cmp.Or(c.Bio, d.Bio),
		Avatar:      cmp.Or(c.Avatar, d.Avatar),
		Gender:      cmp.Or(c.Gender, d.Gender),
		BirthDate:   cmp.Or(c.BirthDate, d.BirthDate),
		TimeZone:    cmp.Or(c.TimeZone, d.TimeZone),
		Language:    cmp.Or(c.Language, d.Language),
		Country:     cmp.Or(c.Country, d.Country),
		Website:     cmp.Or(c.Website, d.Website),
		LinkedIn:    cmp.Or(c.LinkedIn, d.LinkedIn),
		Twitter:     cmp.Or(c.Twitter, d.Twitter),
		GitHub:      cmp.Or(c.GitHub, d.GitHub),
		Facebook:    cmp.Or(c.Facebook, d.Facebook),
		Instagram:   cmp.Or(c.Instagram, d.Instagram),
	}
}

// news answers what c says that d does not.
func (d ProfileDetails) news(c ProfileDetails) ProfileDetails {
	return ProfileDetails{
		DisplayName: news(d.DisplayName, c.DisplayName),
		FirstName:   news(d.FirstName, c.FirstName),
		MiddleName:  news(d.MiddleName, c.MiddleName),
		LastName:    news(d.LastName, c.LastName),
		Bio:         news(d.Bio, c.Bio),
		Avatar:      news(d.Avatar, c.Avatar),
		Gender:      news(d.Gender, c.Gender),
		BirthDate:   news(d.BirthDate, c.BirthDate),
		TimeZone:    news(d.TimeZone, c.TimeZone),
		Language:    news(d.Language, c.Language),
		Country:     news(d.Country, c.Country),
		Website:     news(d.Website, c.Website),
		LinkedIn:    news(d.LinkedIn, c.LinkedIn),
		Twitter:     news(d.Twitter, c.Twitter),
		GitHub:      news(d.GitHub, c.GitHub),
		Facebook:    news(d.Facebook, c.Facebook),
		Instagram:   news(d.Instagram, c.Instagram),
	}
}

// news answers what is said if it is another thing than before. Nothing and the empty value are the same.
func news[T comparable](before, said *T) *T {
	if said == nil || *said == value.Or(before) {
		return nil
	}
	return said
}

// FullName is made of the names that there are.
func (d ProfileDetails) FullName() string {
	return strings.Join(strings.Fields(value.Or(d.FirstName)+" "+value.Or(d.MiddleName)+" "+value.Or(d.LastName)), " ")
}

// isOfAge refuses the birthday of who is too young, or can't be so old.
func (d ProfileDetails) isOfAge(at time.Time) error {
	if born := value.Or(d.BirthDate); born != "" && (born.age(at) < minAge || born.age(at) > maxAge) {
		return ErrAge
	}
	return nil
}

// Commands.
type (
	CreateProfile struct {
		Profile ProfileID
		User    UserID
		Realm   string
		Details ProfileDetails
		Public  bool
		At      time.Time // who was born when is old enough then
	}
	// ChangeProfile changes what is given.
	ChangeProfile struct {
		Profile ProfileID
		Details ProfileDetails
		Public  *bool
		At      time.Time
	}
	DeleteProfile struct{ Profile ProfileID }
)

func (c CreateProfile) Target() domain.Stream { return ProfileStream(c.Profile) }
func (c ChangeProfile) Target() domain.Stream { return ProfileStream(c.Profile) }
func (c DeleteProfile) Target() domain.Stream { return ProfileStream(c.Profile) }

// Decide creates a profile once.
func (c CreateProfile) Decide(p Profile) ([]domain.Event, error) {
	if !p.ID.IsZero() {
		return nil, ErrProfileExists
	}
	if err := c.Details.isOfAge(c.At); err != nil {
		return nil, err
	}
	events := []domain.Event{ProfileCreated{
		ProfileID: c.Profile, UserID: c.User, Realm: c.Realm, Details: ProfileDetails{}.news(c.Details),
	}}
	if c.Public {
		events = append(events, ProfileMadePublic{c.Profile, c.User, c.Realm})
	}
	return events, nil
}

// Decide changes what is other than before.
func (c ChangeProfile) Decide(p Profile) (events []domain.Event, err error) {
	if p.ID.IsZero() {
		return nil, ErrProfileNotFound
	}
	said := p.Details.news(c.Details)
	if err := said.isOfAge(c.At); err != nil {
		return nil, err
	}
	if said != (ProfileDetails{}) {
		events = append(events, ProfileChanged{p.ID, p.User, said})
	}
	switch {
	case c.Public == nil || *c.Public == p.Public:
	case *c.Public:
		events = append(events, ProfileMadePublic{p.ID, p.User, p.Realm})
	default:
		events = append(events, ProfileMadePrivate{p.ID, p.User, p.Realm})
	}
	return events, nil
}

// Decide deletes a profile that there is.
func (c DeleteProfile) Decide(p Profile) ([]domain.Event, error) {
	if p.ID.IsZero() {
		return nil, ErrProfileNotFound
	}
	return []domain.Event{ProfileDeleted{p.ID, p.User, p.Realm, p.Public}}, nil
}
