package identity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/spec"
)

var catalogue = domain.NewCatalogue(identity.Types)

// examples is one event of each type.
var examples = []domain.Event{
	annRegistered,
	identity.UserEmailChanged{UserID: ann, Email: "a@example.com"},
	identity.UserPhoneChanged{UserID: ann, Phone: "2"},
	identity.UserPasswordChanged{UserID: ann, PasswordHash: "#2"},
	identity.UserPasswordRehashed{UserID: ann, PasswordHash: "#3"},
	identity.UserSignedIn{UserID: ann, SessionID: session},
	annDeactivated,
	identity.UserEmailVerified{UserID: ann},
	identity.UserNameChanged{UserID: ann, Name: "Ann"},
	identity.UserSuspended{UserID: ann},
	identity.UserBanned{UserID: ann, Was: identity.IsSuspended},
	identity.SignInSucceeded{Realm: "r", UserID: ann},
	annLocked,
	identity.SignInUnlocked{Realm: "r", UserID: ann},
	identity.UserReactivated{UserID: ann},
	opened, refreshed,
	identity.RefreshTokenReused{SessionID: session, UserID: ann},
	signedOut, annJoined, annLeft,
	annFailed(5), annSuspected, annSuspicionEnded,
	annIntroduced, annPromoted, annShown, annHidden, annProfileDeleted,
	workCreated, workMoved, workVerified, workLapsed, workFirst, workWithdrawn, workShown, workHidden, workDeleted,
	workRequested, workFailed, annRequested, annMissed, annAsked,
	annAssigned, annUnassigned,
	editorCreated,
	identity.RoleChanged{RoleID: editor, DisplayName: "Writer", Description: "Writes"},
	editorDeleted,
	readGranted, readWithdrawn,
	readCreated,
	identity.PermissionDescriptionChanged{PermissionID: read, Description: "Read"},
	readDeleted, readUsed,
}

func TestEvents(t *testing.T) { spec.Examples(t, identity.Types, examples) }

func TestAggregates(t *testing.T) { spec.Aggregates(t, identity.Types, identity.Aggregates) }

func TestSecretsAreKeptApart(t *testing.T) {
	enc, err := catalogue.Encode(annRegistered, spec.Clear{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(enc.Data), "#1") || !strings.Contains(string(enc.Secret), "#1") {
		t.Errorf("data %s, secret %s", enc.Data, enc.Secret)
	}
	without, err := catalogue.Decode(enc.Type, enc.Schema, enc.Data, nil, spec.Clear{})
	want := annRegistered
	want.PasswordHash = ""
	if diff := cmp.Diff(domain.Event(want), without); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestUnknownTypesAndSchemasAreToldApartFromDamage(t *testing.T) {
	for _, c := range []struct {
		typ    string
		schema int
		data   string
		known  bool
	}{
		{"identity.user.promoted", 1, "{}", false},
		{"identity.user.registered", 2, "{}", false},
		{"identity.user.registered", 0, "{}", false},
		{"identity.user.registered", 1, "[", true},
	} {
		_, err := catalogue.Decode(c.typ, c.schema, []byte(c.data), nil, spec.Clear{})
		if err == nil || errors.Is(err, domain.ErrUnknownType) == c.known {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// No bytes may make a decoder or a state panic.
func FuzzDecode(f *testing.F) {
	for i, e := range examples {
		enc, err := catalogue.Encode(e, spec.Clear{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, enc.Data, enc.Secret)
	}
	f.Fuzz(func(_ *testing.T, i int, data, secret []byte) {
		typ := identity.Types[uint(i)%uint(len(identity.Types))]
		e, err := catalogue.Decode(typ.Name, typ.Schema, data, secret, spec.Clear{})
		if err != nil {
			return
		}
		identity.User{}.Evolve(e, spec.At)
		identity.Session{}.Evolve(e, time.Time{})
		identity.Roster{}.Evolve(e, spec.At)
		identity.SignIns{}.Evolve(e, spec.At)
		identity.Profile{}.Evolve(e, spec.At).Claims()
		identity.Contact{}.Evolve(e, spec.At).Claims()
		identity.RoleDefinition{}.Evolve(e, spec.At)
		identity.PermissionDefinition{}.Evolve(e, spec.At)
	})
}
