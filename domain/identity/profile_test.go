package identity_test

import (
	"testing"
	"time"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/spec"
	"gesta/domain/value"
)

// said is a detail that is given.
func said[T any](v T) *T { return &v }

var (
	annsProfile = identity.ProfileID{ID: id.Named("ann's profile")}

	annIntroduced = identity.ProfileCreated{ProfileID: annsProfile, UserID: ann, Realm: "r", Details: identity.ProfileDetails{
		DisplayName: said("Ann D."), FirstName: said("Ann"), LastName: said("Doe"), Bio: said("Software developer"),
		TimeZone: said(value.TimeZone("Europe/Kyiv")), Language: said(value.Language("uk")), Country: said(value.Country("UA")),
	}}
	annPromoted = identity.ProfileChanged{ProfileID: annsProfile, UserID: ann, Details: identity.ProfileDetails{
		Bio: said("Senior Software Developer"), Website: said(value.URL("https://example.com/ann")),
	}}
	annShown          = identity.ProfileMadePublic{ProfileID: annsProfile, UserID: ann, Realm: "r"}
	annHidden         = identity.ProfileMadePrivate{ProfileID: annsProfile, UserID: ann, Realm: "r"}
	annProfileDeleted = identity.ProfileDeleted{ProfileID: annsProfile, UserID: ann, Realm: "r"}
)

func introduce(d identity.ProfileDetails) identity.CreateProfile {
	return identity.CreateProfile{Profile: annsProfile, User: ann, Realm: "r", Details: d, At: spec.At}
}

func changeProfile(d identity.ProfileDetails) identity.ChangeProfile {
	return identity.ChangeProfile{Profile: annsProfile, Details: d, At: spec.At}
}

func TestAProfileIsTheOnlyOneOfItsUser(t *testing.T) {
	p := spec.Given[identity.Profile]().When(introduce(annIntroduced.Details)).Then(t, annIntroduced).State
	if got := p.Claims(); len(got) != 1 || got[0] != identity.ProfileClaim("r", ann) || p.Refuse(got[0]) != identity.ErrProfileExists {
		t.Errorf("claims: %v", got)
	}
	if p.Public || p.CreatedAt != spec.At {
		t.Errorf("profile: %+v", p)
	}
	spec.Given[identity.Profile](annIntroduced).When(introduce(annIntroduced.Details)).Refused(t, identity.ErrProfileExists)
}

func TestAProfileMayBeginInPublic(t *testing.T) {
	c := introduce(annIntroduced.Details)
	c.Public = true
	if p := spec.Given[identity.Profile]().When(c).Then(t, annIntroduced, annShown).State; !p.Public {
		t.Errorf("profile: %+v", p)
	}
}

func TestWhatIsEmptyAtFirstIsNotSaid(t *testing.T) {
	c := introduce(identity.ProfileDetails{DisplayName: said("Ann D."), Bio: said("")})
	spec.Given[identity.Profile]().When(c).Then(t, identity.ProfileCreated{
		ProfileID: annsProfile, UserID: ann, Realm: "r", Details: identity.ProfileDetails{DisplayName: said("Ann D.")},
	})
}

func TestOnlyWhatIsGivenAndNewChangesAProfile(t *testing.T) {
	given := spec.Given[identity.Profile](annIntroduced)
	p := given.When(changeProfile(identity.ProfileDetails{
		Bio: annPromoted.Details.Bio, Website: annPromoted.Details.Website, FirstName: said("Ann"), Avatar: said(value.URL("")),
	})).Then(t, annPromoted).State
	if *p.Details.Bio != "Senior Software Developer" || *p.Details.DisplayName != "Ann D." || *p.Details.Country != "UA" {
		t.Errorf("profile: %+v", p)
	}
	given.When(changeProfile(annIntroduced.Details)).Nothing(t)
	given.When(changeProfile(identity.ProfileDetails{})).Nothing(t)
}

func TestEveryDetailCanBeChangedAndTakenBack(t *testing.T) {
	url := value.URL("https://example.com")
	all := identity.ProfileDetails{
		DisplayName: said("A"), FirstName: said("b"), MiddleName: said("c"), LastName: said("d"), Bio: said("e"), Avatar: &url,
		Gender: said(identity.Gender("female")), BirthDate: said(identity.BirthDate("1990-12-31")), TimeZone: said(value.TimeZone("UTC")),
		Language: said(value.Language("en")), Country: said(value.Country("GB")), Website: &url, LinkedIn: &url, Twitter: &url,
		GitHub: &url, Facebook: &url, Instagram: &url,
	}
	changed := identity.ProfileChanged{ProfileID: annsProfile, UserID: ann, Details: all}
	if p := spec.Given[identity.Profile](annIntroduced).When(changeProfile(all)).Then(t, changed).State; p.Details != all {
		t.Errorf("profile: %+v", p)
	}
	bare := identity.ProfileDetails{Gender: said(identity.Gender("")), BirthDate: said(identity.BirthDate("")), GitHub: said(value.URL(""))}
	spec.Given[identity.Profile](annIntroduced, changed).When(changeProfile(bare)).
		Then(t, identity.ProfileChanged{ProfileID: annsProfile, UserID: ann, Details: bare})
}

func TestAProfileIsOfSomebodyOldEnough(t *testing.T) {
	for born, isOfAge := range map[string]bool{
		"2013-01-02": true, "2013-01-03": false, "2026-01-03": false, "2012-02-29": true, "1905-01-03": true, "1905-01-02": false, "0001-01-01": false, "9999-12-31": false,
	} {
		d := identity.ProfileDetails{BirthDate: said(identity.BirthDate(born))}
		create, change := spec.Given[identity.Profile]().When(introduce(d)), spec.Given[identity.Profile](annIntroduced).When(changeProfile(d))
		if isOfAge {
			create.Then(t, identity.ProfileCreated{ProfileID: annsProfile, UserID: ann, Realm: "r", Details: d})
			change.Then(t, identity.ProfileChanged{ProfileID: annsProfile, UserID: ann, Details: d})
			continue
		}
		create.Refused(t, identity.ErrAge)
		change.Refused(t, identity.ErrAge)
	}
}

func TestALeapDayComesOnTheFirstOfMarchInOtherYears(t *testing.T) {
	c := changeProfile(identity.ProfileDetails{BirthDate: said(identity.BirthDate("2012-02-29"))})
	given := spec.Given[identity.Profile](annIntroduced)
	c.At = time.Date(2025, 2, 28, 23, 59, 59, 0, time.UTC)
	given.When(c).Refused(t, identity.ErrAge)
	c.At = time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	given.When(c).Then(t, identity.ProfileChanged{ProfileID: annsProfile, UserID: ann, Details: c.Details})
}

func TestShowingAProfileAndHidingIt(t *testing.T) {
	show, hide := changeProfile(identity.ProfileDetails{}), changeProfile(identity.ProfileDetails{})
	show.Public, hide.Public = said(true), said(false)
	spec.Given[identity.Profile](annIntroduced).When(show).Then(t, annShown)
	spec.Given[identity.Profile](annIntroduced).When(hide).Nothing(t)
	spec.Given[identity.Profile](annIntroduced, annShown).When(hide).Then(t, annHidden)
	spec.Given[identity.Profile](annIntroduced, annShown).When(show).Nothing(t)
	show.Details = annPromoted.Details
	spec.Given[identity.Profile](annIntroduced).When(show).Then(t, annPromoted, annShown)
}

func TestADeletedProfileIsNoneAndMakesRoom(t *testing.T) {
	p := spec.Given[identity.Profile](annIntroduced).When(identity.DeleteProfile{Profile: annsProfile}).Then(t, annProfileDeleted).State
	if len(p.Claims()) != 0 {
		t.Errorf("claims: %v", p.Claims())
	}
	ofAll := annProfileDeleted
	ofAll.WasPublic = true
	spec.Given[identity.Profile](annIntroduced, annShown).When(identity.DeleteProfile{Profile: annsProfile}).Then(t, ofAll)
	for _, none := range []spec.Past[identity.Profile]{
		spec.Given[identity.Profile](), spec.Given[identity.Profile](annIntroduced, annProfileDeleted),
	} {
		none.When(identity.DeleteProfile{Profile: annsProfile}).Refused(t, identity.ErrProfileNotFound)
		none.When(changeProfile(annPromoted.Details)).Refused(t, identity.ErrProfileNotFound)
	}
}

func TestAFullNameIsMadeOfTheNamesThatThereAre(t *testing.T) {
	for want, d := range map[string]identity.ProfileDetails{
		"":            {},
		"Ann":         {FirstName: said("Ann"), LastName: said("")},
		"Ann Doe":     annIntroduced.Details,
		"Ann B C Doe": {FirstName: said("Ann"), MiddleName: said("B C"), LastName: said("Doe")},
	} {
		if got := d.FullName(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBirthDatesAndGenders(t *testing.T) {
	for _, given := range []string{"", "1990", "1990-02-30", "1990-1-1", "31.12.1990", "1990-12-31T00:00:00Z"} {
		if got, err := identity.ParseBirthDate(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
	if got, err := identity.ParseBirthDate("1990-12-31"); err != nil || got != "1990-12-31" {
		t.Errorf("%q, %v", got, err)
	}
	for _, given := range []string{"", "Male", "x"} {
		if got, err := identity.ParseGender(given); err == nil {
			t.Errorf("%q is taken as %q", given, got)
		}
	}
	if got, err := identity.ParseGender("not_specified"); err != nil || got != "not_specified" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsSaidInAProfile(t *testing.T) {
	takes(t, map[string]length{
		"display name": {identity.ParseDisplayName, 2, 100}, "first name": {identity.ParsePersonName, 0, 50}, "bio": {identity.ParseBio, 0, 500},
	})
	if got, err := identity.ParseBio("one\ntwo"); err != nil || got != "one\ntwo" {
		t.Errorf("%q, %v", got, err)
	}
}
