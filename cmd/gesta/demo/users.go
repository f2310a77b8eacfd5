package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/value"
)

func userMoved(u identity.UserID) moved {
	return func(ctx context.Context, h *hand) (time.Time, error) {
		is, err := commands.State[identity.User](ctx, h.identity.Executor, identity.UserStream(u))
		return is.UpdatedAt, err
	}
}

func profileMoved(p identity.ProfileID) moved {
	return func(ctx context.Context, h *hand) (time.Time, error) {
		is, err := commands.State[identity.Profile](ctx, h.identity.Executor, identity.ProfileStream(p))
		return is.UpdatedAt, err
	}
}

func contactMoved(c identity.ContactID) moved {
	return func(ctx context.Context, h *hand) (time.Time, error) {
		is, err := commands.State[identity.Contact](ctx, h.identity.Executor, identity.ContactStream(c))
		return is.UpdatedAt, err
	}
}

func (h *hand) register(ctx context.Context, a account, role identity.Role) error {
	_, err := h.identity.Register(ctx, commands.Registration{
		User: a.id, Realm: h.realm, By: h.itself(), Role: role, Name: a.name(), Email: value.Email(a.email), PasswordHash: h.hash,
	})
	return err
}

func (h *hand) verifyEmail(ctx context.Context, u identity.UserID) error {
	_, err := h.identity.VerifyEmail(ctx, commands.EmailVerification{Realm: h.realm, User: u})
	return err
}

func (h *hand) setStatus(ctx context.Context, u identity.UserID, to identity.Status) error {
	_, err := h.identity.SetStatus(ctx, commands.StatusChange{Realm: h.realm, By: h.itself(), User: u, To: to})
	return err
}

// introduce makes a profile. Interns have nothing to show yet.
func (h *hand) introduce(ctx context.Context, profile identity.ProfileID, s colleague) error {
	shown, bio := s.given.name+" "+string([]rune(s.family.name)[:1])+".", s.title
	if s.bio != "" {
		bio += " at " + Company + ". " + s.bio
	}
	link := value.URL("https://" + home + "/team/" + strings.ReplaceAll(strings.Split(s.email, "@")[0], ".", "-"))
	_, err := h.identity.CreateProfile(ctx, commands.ProfileCreation{
		By: s.itself(), Profile: profile, Public: s.bio != "",
		Details: identity.ProfileDetails{
			DisplayName: &shown, FirstName: &s.given.name, LastName: &s.family.name, Bio: &bio,
			TimeZone: &s.zone, Language: &s.language, Country: &s.country, Website: &link,
		},
	})
	return err
}

// itself is a user who asks for himself.
func (a account) itself() identity.Caller {
	return identity.Caller{Realm: realm, User: a.id}
}

func (s colleague) writes() commands.ContactCreation {
	label, email := "Work", value.Email(s.email)
	return commands.ContactCreation{
		By: s.itself(), Type: identity.EmailContact, Primary: true, Public: s.team != "",
		Details: identity.ContactDetails{Label: &label, Email: &email},
	}
}

func (s colleague) calls() commands.ContactCreation {
	label := "Mobile"
	return commands.ContactCreation{
		By: s.itself(), Type: identity.PhoneContact, Primary: true,
		Details: identity.ContactDetails{Label: &label, Phone: &s.number},
	}
}

func (s colleague) visits() commands.ContactCreation {
	label := "Home"
	return commands.ContactCreation{
		By: s.itself(), Type: identity.AddressContact,
		Details: identity.ContactDetails{Label: &label, Address: &identity.ContactAddress{
			Street: fmt.Sprintf("%s 7", s.street), City: s.city, Country: s.country,
		}},
	}
}

func (h *hand) reach(ctx context.Context, w commands.ContactCreation) error {
	_, err := h.identity.CreateContact(ctx, w)
	return err
}

func (h *hand) verify(ctx context.Context, w commands.ContactCreation) error {
	_, err := h.identity.VerifyContact(ctx, commands.ContactVerification{
		OwnContact: commands.OwnContact{By: w.By, Contact: w.Contact}, Realm: h.realm,
	})
	return err
}
