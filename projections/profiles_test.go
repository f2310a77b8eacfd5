package projections_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/projections"
)

// drawn draws the next event of a stream.
type drawn = func(*rapid.T, id.ID) domain.Event

var profileBegins = []drawn{func(t *rapid.T, i id.ID) domain.Event {
	return identity.ProfileCreated{UserID: identity.UserID{ID: i}, Realm: word(t), Details: profileDetails(t)}
}}

var profileGoesOn = []drawn{
	func(t *rapid.T, i id.ID) domain.Event {
		return identity.ProfileChanged{UserID: identity.UserID{ID: i}, Details: profileDetails(t)}
	},
	func(t *rapid.T, _ id.ID) domain.Event { return identity.ProfileMadePublic{Realm: word(t)} },
	func(t *rapid.T, _ id.ID) domain.Event { return identity.ProfileMadePrivate{Realm: word(t)} },
	func(t *rapid.T, _ id.ID) domain.Event {
		return identity.ProfileDeleted{Realm: word(t), WasPublic: rapid.Bool().Draw(t, "public")}
	},
	forgotten,
}

func profileDetails(t *rapid.T) identity.ProfileDetails {
	text, url := own(t), value.URL("https://"+mark+".example/"+word(t))
	gender, born, zone, language, country := identity.Gender(text), identity.BirthDate(text), value.TimeZone(text), value.Language(text), value.Country(text)
	return identity.ProfileDetails{
		DisplayName: &text, FirstName: &text, MiddleName: &text, LastName: &text, Bio: &text, Avatar: &url, Gender: &gender, BirthDate: &born,
		TimeZone: &zone, Language: &language, Country: &country, Website: &url, LinkedIn: &url, Twitter: &url, GitHub: &url, Facebook: &url, Instagram: &url,
	}
}

var contactBegins = []drawn{func(t *rapid.T, i id.ID) domain.Event {
	return identity.ContactCreated{UserID: identity.UserID{ID: i}, Type: identity.EmailContact, Details: contactDetails(t)}
}}

var contactGoesOn = []drawn{
	func(t *rapid.T, i id.ID) domain.Event {
		return identity.ContactChanged{UserID: identity.UserID{ID: i}, Details: contactDetails(t)}
	},
	func(*rapid.T, id.ID) domain.Event { return identity.ContactVerified{} },
	func(*rapid.T, id.ID) domain.Event { return identity.ContactVerificationLapsed{} },
	func(*rapid.T, id.ID) domain.Event { return identity.ContactMadePrimary{} },
	func(*rapid.T, id.ID) domain.Event { return identity.ContactPrimaryWithdrawn{} },
	func(*rapid.T, id.ID) domain.Event { return identity.ContactMadePublic{} },
	func(*rapid.T, id.ID) domain.Event { return identity.ContactMadePrivate{} },
	func(*rapid.T, id.ID) domain.Event { return identity.ContactDeleted{} },
	forgotten,
}

func contactDetails(t *rapid.T) identity.ContactDetails {
	text, e := own(t), email(t)
	phone := value.Phone(text)
	return identity.ContactDetails{Label: &text, Email: &e, Phone: &phone, Address: &identity.ContactAddress{
		Street: text, Apartment: text, City: text, State: text, PostalCode: text, Country: value.Country(text),
	}}
}

// A profile is written next to the one that was deleted: that one goes, and only public ones are listed and counted.
func TestProfilesAreListedWhilePublic(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	r := remember(t, url, "gesta")
	reads, err := projections.Open(t.Context(), url, "gesta")
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()
	all := projections.Profiles{DB: &postgres.Lookups{Pool: reads}, Realm: "r"}
	at := int64(0)
	expect := func(when string, want ...id.ID) {
		t.Helper()
		at = r.project(at)
		page, err := all.Public(t.Context(), projections.Query{Page: projections.Page{Number: 1, Size: 10}})
		var got []id.ID
		for _, p := range page.Rows {
			got = append(got, p.ID)
		}
		if err != nil || page.Total != len(want) || len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
			t.Errorf("%s %v are listed, %d in all, want %v (%v)", when, got, page.Total, want, err)
		}
	}
	ann, profile := identity.UserID{ID: id.New(time.Now())}, identity.ProfileID{ID: id.New(time.Now())}
	s := identity.ProfileStream(profile)
	name := "Ann"
	r.says(s, identity.ProfileCreated{ProfileID: profile, UserID: ann, Realm: "r", Details: identity.ProfileDetails{DisplayName: &name}})
	expect("at first")
	r.says(s, identity.ProfileMadePublic{ProfileID: profile, UserID: ann, Realm: "r"})
	expect("in public", profile.ID)
	if p, err := all.Of(t.Context(), ann); err != nil || p.ID != profile.ID || *p.Details.DisplayName != "Ann" || p.Version != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	r.says(s, identity.ProfileDeleted{ProfileID: profile, UserID: ann, Realm: "r", WasPublic: true})
	expect("in the end")
}
