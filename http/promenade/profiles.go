package promenade

import (
	"context"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/reference"
	"gesta/domain/value"
	"gesta/http/web"
	"gesta/projections"
)

func (a api) profileRoutes() []web.Route {
	const profiles, profile = prefix + "/identity/profiles", "identity.profile"
	put := func(path, does string, reading web.Reading[commands.ProfileChange], told string) web.Route {
		return web.Put(profiles+"/:id/"+path, web.SignedIn, web.Tell(reading, a.changeProfile, said{told})).
			Does(does).Refuses(400, 401, 404).Of(profile)
	}
	return []web.Route{
		web.Post(profiles, web.SignedIn, web.Make(web.Takes(profileCreation), a.Identity.CreateProfile, a.Identity.ProfileCreated, showMyProfile)).
			Does("Create my profile").Refuses(400, 401, 409).Of(profile),
		web.Get(profiles, web.Anyone, web.Handle(web.Lists(20, 100), a.Profiles.Public, showProfiles)).
			Does("List public profiles").Refuses(400),
		web.Get(profiles+"/me", web.SignedIn, web.Handle(web.Reads(caller), a.Profiles.Of, showOwnProfile)).
			Does("Show my profile").Refuses(401, 404).Of(profile),
		web.Put(profiles+"/me", web.SignedIn, web.Handle(web.Takes(myProfileChange), a.Identity.ChangeProfile, showMyProfile)).
			Does("Change my profile").Refuses(400, 401, 404).OfTheirs(profile, a.Identity.ProfileOf),
		web.Delete(profiles+"/me", web.SignedIn, web.Do(web.Reads(myProfile), a.Identity.DeleteProfile)).
			Does("Delete my profile").Refuses(401, 404).OfTheirs(profile, a.Identity.ProfileOf),
		web.Get(profiles+"/user/:user_id", web.Anyone, web.Handle(web.Reads(profileOfUser), a.profileOf, showSeen)).
			Does("Find the profile of a user").Refuses(400, 404),
		web.Get(profiles+"/:id", web.Anyone, web.Handle(web.Reads(profileAsked), a.findProfile, showSeen)).
			Does("Find a profile").Refuses(400, 404),
		web.Delete(profiles+"/:id", web.SignedIn, web.Do(web.Reads(ownProfile), a.Identity.DeleteProfile)).
			Does("Delete my profile, by its id").Refuses(400, 401, 404).Of(profile),

		put("display-name", "Change my display name", web.Takes(displayNameChange), "Display name updated successfully"),
		put("bio", "Change my bio", web.Takes(bioChange), "Bio updated successfully"),
		put("avatar", "Change my picture", web.Takes(avatarChange), "Avatar updated successfully"),
		put("personal-info", "Change my names", web.Takes(namesChange), "Personal info updated successfully"),
		put("gender", "Change my gender", web.Takes(genderChange), "Gender updated successfully"),
		put("date-of-birth", "Change my date of birth", web.Takes(birthDateChange), "Date of birth updated successfully"),
		put("localization", "Change my time zone, language and country", web.Takes(localizationChange), "Localization updated successfully"),
		put("social-links", "Change my links", web.Takes(linksChange), "Social links updated successfully"),
		put("public", "Show my profile to everybody", web.Reads(visibility(true)), "Profile is now public"),
		put("private", "Keep my profile to myself", web.Reads(visibility(false)), "Profile is now private"),
	}
}

// names are what somebody is called.
type names struct {
	// At most 50 characters.
	FirstName *string `json:"first_name"`
	// At most 50 characters.
	MiddleName *string `json:"middle_name"`
	// At most 50 characters.
	LastName *string `json:"last_name"`
}

// localization is where somebody is, and what he speaks.
type localization struct {
	// A name of IANA's, such as Europe/Kyiv.
	TimeZone *string `json:"timezone"`
	// A code of ISO 639-1, such as uk.
	Language *string `json:"language"`
	// A code of ISO 3166-1, such as UA.
	Country *string `json:"country"`
}

// links lead to where else somebody is found: http or https.
type links struct {
	Website   *string `json:"website"`
	LinkedIn  *string `json:"linkedin"`
	Twitter   *string `json:"twitter"`
	GitHub    *string `json:"github"`
	Facebook  *string `json:"facebook"`
	Instagram *string `json:"instagram"`
}

// details are all that can be said in a profile. What is left out, or null, stays as it is; what is empty is taken back.
type details struct {
	// 2 to 100 characters.
	DisplayName *string `json:"display_name"`
	names
	// At most 500 characters.
	Bio *string `json:"bio"`
	// The address of a picture, http or https.
	Avatar *string `json:"avatar_url"`
	// One of male, female, other, not_specified.
	Gender *string `json:"gender"`
	// Such as 1990-12-31, of somebody 13 to 120 years old. Others never see it.
	BirthDate *string `json:"date_of_birth"`
	localization
	links
}

func (d details) read(f *web.Fields) identity.ProfileDetails {
	link := func(name string, given *string) *value.URL {
		return web.Optional(f, name, given, web.OrNone(value.ParseURL))
	}
	return identity.ProfileDetails{
		DisplayName: web.Optional(f, "display_name", d.DisplayName, identity.ParseDisplayName),
		FirstName:   web.Optional(f, "first_name", d.FirstName, identity.ParsePersonName),
		MiddleName:  web.Optional(f, "middle_name", d.MiddleName, identity.ParsePersonName),
		LastName:    web.Optional(f, "last_name", d.LastName, identity.ParsePersonName),
		Bio:         web.Optional(f, "bio", d.Bio, identity.ParseBio),
		Avatar:      link("avatar_url", d.Avatar),
		Gender:      web.Optional(f, "gender", d.Gender, web.OrNone(identity.ParseGender)),
		BirthDate:   web.Optional(f, "date_of_birth", d.BirthDate, web.OrNone(identity.ParseBirthDate)),
		TimeZone:    web.Optional(f, "timezone", d.TimeZone, web.OrNone(reference.ParseTimeZone)),
		Language:    web.Optional(f, "language", d.Language, web.OrNone(reference.ParseLanguage)),
		Country:     web.Optional(f, "country", d.Country, web.OrNone(reference.ParseCountry)),
		Website:     link("website", d.Website),
		LinkedIn:    link("linkedin", d.LinkedIn),
		Twitter:     link("twitter", d.Twitter),
		GitHub:      link("github", d.GitHub),
		Facebook:    link("facebook", d.Facebook),
		Instagram:   link("instagram", d.Instagram),
	}
}

// newProfile is a profile to be. Only its user sees it, unless it is public.
type newProfile struct {
	details
	IsPublic *bool `json:"is_public" default:"false"`
}

func profileCreation(r *web.Request, in newProfile) (commands.ProfileCreation, error) {
	var f web.Fields
	f.Need("display_name", in.DisplayName)
	return commands.ProfileCreation{By: r.Caller, Details: in.read(&f), Public: value.Or(in.IsPublic)}, f.Err()
}

// profileChange says what is to change; what is left out, or null, stays as it is; what is empty is taken back.
type profileChange struct {
	details
	IsPublic *bool `json:"is_public"`
}

func myProfileChange(r *web.Request, in profileChange) (commands.ProfileChange, error) {
	var f web.Fields
	return commands.ProfileChange{OwnProfile: commands.OwnProfile{By: r.Caller}, Details: in.read(&f), Public: in.IsPublic}, f.Err()
}

func myProfile(r *web.Request) (commands.OwnProfile, error) {
	return commands.OwnProfile{By: r.Caller}, nil
}

// ownProfile reads an id that should be that of the caller's own profile.
func ownProfile(r *web.Request) (commands.OwnProfile, error) {
	i, err := web.ULID.ID(r, "id", identity.ErrProfileNotFound)
	return commands.OwnProfile{By: r.Caller, Profile: identity.ProfileID{ID: i}}, err
}

// partOf is a change of some details.
func partOf(r *web.Request, f *web.Fields, d details) (c commands.ProfileChange, err error) {
	if c.OwnProfile, err = ownProfile(r); err != nil {
		return c, err
	}
	c.Details = d.read(f)
	return c, f.Err()
}

// oneOf is a change of a detail that must be given, though it may be empty.
func oneOf(r *web.Request, name string, given *string, d details) (commands.ProfileChange, error) {
	var f web.Fields
	f.Need(name, given)
	return partOf(r, &f, d)
}

// displayName is what others call somebody.
type displayName struct {
	// 2 to 100 characters.
	DisplayName *string `json:"display_name" required:"true"`
}

func displayNameChange(r *web.Request, in displayName) (commands.ProfileChange, error) {
	return oneOf(r, "display_name", in.DisplayName, details{DisplayName: in.DisplayName})
}

// bio is what somebody says about himself; empty to say nothing.
type bio struct {
	// At most 500 characters.
	Bio *string `json:"bio" required:"true"`
}

func bioChange(r *web.Request, in bio) (commands.ProfileChange, error) {
	return oneOf(r, "bio", in.Bio, details{Bio: in.Bio})
}

// avatar is where a picture of somebody is; empty for none.
type avatar struct {
	// http or https.
	Avatar *string `json:"avatar_url" required:"true"`
}

func avatarChange(r *web.Request, in avatar) (commands.ProfileChange, error) {
	return oneOf(r, "avatar_url", in.Avatar, details{Avatar: in.Avatar})
}

func namesChange(r *web.Request, in names) (commands.ProfileChange, error) {
	return partOf(r, &web.Fields{}, details{names: in})
}

// gender is a word for it; empty to say nothing.
type gender struct {
	// One of male, female, other, not_specified.
	Gender *string `json:"gender" required:"true"`
}

func genderChange(r *web.Request, in gender) (commands.ProfileChange, error) {
	return oneOf(r, "gender", in.Gender, details{Gender: in.Gender})
}

// birthDate is the day somebody was born; empty to say nothing.
type birthDate struct {
	// Such as 1990-12-31, of somebody 13 to 120 years old.
	BirthDate *string `json:"date_of_birth" required:"true"`
}

func birthDateChange(r *web.Request, in birthDate) (commands.ProfileChange, error) {
	return oneOf(r, "date_of_birth", in.BirthDate, details{BirthDate: in.BirthDate})
}

func localizationChange(r *web.Request, in localization) (commands.ProfileChange, error) {
	return partOf(r, &web.Fields{}, details{localization: in})
}

func linksChange(r *web.Request, in links) (commands.ProfileChange, error) {
	return partOf(r, &web.Fields{}, details{links: in})
}

func visibility(public bool) func(*web.Request) (commands.ProfileChange, error) {
	return func(r *web.Request) (c commands.ProfileChange, err error) {
		c.Public = &public
		c.OwnProfile, err = ownProfile(r)
		return c, err
	}
}

func (a api) changeProfile(ctx context.Context, c commands.ProfileChange) error {
	_, err := a.Identity.ChangeProfile(ctx, c)
	return err
}

// profileQuestion asks for a profile, or that of a user, on somebody's behalf.
type profileQuestion struct {
	profile identity.ProfileID
	user    identity.UserID
	by      identity.Caller
}

func profileAsked(r *web.Request) (profileQuestion, error) {
	i, err := web.ULID.ID(r, "id", identity.ErrProfileNotFound)
	return profileQuestion{profile: identity.ProfileID{ID: i}, by: r.Caller}, err
}

func profileOfUser(r *web.Request) (profileQuestion, error) {
	i, err := web.ULID.ID(r, "user_id", identity.ErrProfileNotFound)
	return profileQuestion{user: identity.UserID{ID: i}, by: r.Caller}, err
}

// seen is a profile as somebody may see it: it is another thing for others than for its user, so it has no revision.
type seen struct {
	profile projections.Profile
	own     bool
}

func (a api) findProfile(ctx context.Context, q profileQuestion) (seen, error) {
	p, err := a.Profiles.Find(ctx, q.profile)
	return q.sees(p, err)
}

func (a api) profileOf(ctx context.Context, q profileQuestion) (seen, error) {
	p, err := a.Profiles.Of(ctx, q.user)
	return q.sees(p, err)
}

// sees hides others' profiles that are not public, as if there were none.
func (q profileQuestion) sees(p projections.Profile, err error) (seen, error) {
	own := p.User == q.by.User.ID
	if err == nil && !own && !p.Public {
		err = identity.ErrProfileNotFound
	}
	return seen{p, own}, err
}

// profile is what a user says of himself. What he does not say is left out.
type profile struct {
	ID          string `json:"id" format:"ulid"`
	UserID      string `json:"user_id" format:"ulid"`
	DisplayName string `json:"display_name"`
	FirstName   string `json:"first_name,omitempty"`
	MiddleName  string `json:"middle_name,omitempty"`
	LastName    string `json:"last_name,omitempty"`
	// All the names in a row.
	FullName string `json:"full_name,omitempty"`
	Bio      string `json:"bio,omitempty"`
	Avatar   string `json:"avatar_url,omitempty"`
	// Shown to the user alone.
	Gender string `json:"gender,omitempty"`
	// Shown to the user alone.
	BirthDate string `json:"date_of_birth,omitempty"`
	TimeZone  string `json:"timezone,omitempty"`
	Language  string `json:"language,omitempty"`
	Country   string `json:"country,omitempty"`
	Website   string `json:"website,omitempty"`
	LinkedIn  string `json:"linkedin,omitempty"`
	Twitter   string `json:"twitter,omitempty"`
	GitHub    string `json:"github,omitempty"`
	Facebook  string `json:"facebook,omitempty"`
	Instagram string `json:"instagram,omitempty"`
	// Whether others see it.
	IsPublic  bool      `json:"is_public"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// showMyProfile shows what a command led to, as a GET would.
func showMyProfile(p identity.Profile) profile { return showOwnProfile(projections.ProfileOf(p)) }

// showOwnProfile shows a profile to its user.
func showOwnProfile(p projections.Profile) profile {
	out, d := showProfile(p), p.Details
	out.Gender, out.BirthDate = string(value.Or(d.Gender)), string(value.Or(d.BirthDate))
	return out
}

// showProfile shows a profile to everybody: not how old somebody is, nor of what gender.
func showProfile(p projections.Profile) profile {
	d := p.Details
	return profile{
		ID: web.ULID.Write(p.ID), UserID: web.ULID.Write(p.User),
		DisplayName: value.Or(d.DisplayName), FirstName: value.Or(d.FirstName), MiddleName: value.Or(d.MiddleName),
		LastName: value.Or(d.LastName), FullName: d.FullName(), Bio: value.Or(d.Bio), Avatar: string(value.Or(d.Avatar)),
		TimeZone: string(value.Or(d.TimeZone)), Language: string(value.Or(d.Language)), Country: string(value.Or(d.Country)),
		Website: string(value.Or(d.Website)), LinkedIn: string(value.Or(d.LinkedIn)), Twitter: string(value.Or(d.Twitter)),
		GitHub: string(value.Or(d.GitHub)), Facebook: string(value.Or(d.Facebook)), Instagram: string(value.Or(d.Instagram)),
		IsPublic: p.Public, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

func showSeen(s seen) profile {
	if s.own {
		return showOwnProfile(s.profile)
	}
	return showProfile(s.profile)
}

func showProfiles(p projections.Paged[projections.Profile]) web.List[profile] {
	return web.ListOf(p, showProfile)
}
