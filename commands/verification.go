package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gesta/commands/gateway"
	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
)

// ErrNoMail refuses to ask for a proof that nobody could bring.
var ErrNoMail = &domain.Fault{
	Kind: domain.Unavailable, Code: "no_mail", Text: "no mail is configured here, so that no code can be sent", Retry: time.Hour,
}

// ContactVerification asks for a contact of the caller's to be verified.
type ContactVerification struct {
	OwnContact
	Realm identity.Realm
	Code  identity.Code // that was sent to it; "" for none
}

// VerifyContact takes the caller's word for it that he can be reached so. Where the realm asks for a proof it has a code
// sent instead, which is the proof when it is brought; it refuses a wrong one with identity.ErrWrongCode.
func (i *Identity) VerifyContact(ctx context.Context, c ContactVerification) (is identity.Contact, err error) {
	code := newCode()
	err = i.Executor.Do(ctx, func(w *Work) error {
		if _, err := contactIn(w, c.OwnContact); err != nil {
			return err
		}
		switch {
		case !c.Realm.ProvenContacts:
			is, err = Decide(w, identity.VerifyContact{Contact: c.Contact})
		case c.Code != "":
			is, err = Decide(w, identity.ProveContact{Contact: c.Contact, Code: c.Code, At: w.At()})
		default:
			is, err = i.requestContactCode(w, c, code)
		}
		return err
	})
	return is, c.proven(is, err)
}

// requestContactCode also counts the code among those of the user.
func (i *Identity) requestContactCode(w *Work, c ContactVerification, code identity.Code) (is identity.Contact, err error) {
	is, err = Decide(w, identity.RequestContactVerification{Contact: c.Contact, Code: code, At: w.At()})
	if err := i.sendable(is.Verified, err); err != nil || is.Verified {
		return is, err
	}
	_, err = Decide(w, identity.RequestCode{User: c.By.User, Contact: c.Contact, At: w.At()})
	return is, err
}

// proven refuses a code that has proven nothing. That it was wrong has been recorded.
func (c ContactVerification) proven(is identity.Contact, err error) error {
	if err == nil && c.Code != "" && !is.Verified {
		return identity.ErrWrongCode
	}
	return err
}

// ContactVerified answers a contact as a request has left it, or refuses what it has refused; it answers the contact as
// it is where there was nothing to verify.
func (i *Identity) ContactVerified(ctx context.Context, c ContactVerification, made Made) (is identity.Contact, err error) {
	if at := made.Of("identity.contact"); at != (Revision{}) {
		is, err = StateAt[identity.Contact](ctx, i.Executor, at)
		return is, c.proven(is, err)
	}
	is, err = State[identity.Contact](ctx, i.Executor, identity.ContactStream(c.Contact))
	if err == nil && is.User != c.By.User {
		err = identity.ErrContactNotFound
	}
	return is, err
}

// EmailVerification asks for a user's address to be verified.
type EmailVerification struct {
	Realm identity.Realm
	User  identity.UserID
	Code  identity.Code // that was sent to it; "" for none
}

// VerifyEmail takes a user's word for it that the address is his, and answers the user. Where the realm asks for a proof
// it has a code sent instead, which is the proof when it is brought; it refuses a wrong one with identity.ErrWrongCode.
func (i *Identity) VerifyEmail(ctx context.Context, c EmailVerification) (u identity.User, err error) {
	code := newCode()
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		if _, err = userIn(w, c.Realm, c.User); err != nil {
			return err
		}
		switch {
		case !c.Realm.ProvenContacts:
			u, err = Decide(w, identity.VerifyEmail{User: c.User})
		case c.Code != "":
			u, err = Decide(w, identity.ProveEmail{User: c.User, Code: c.Code, At: w.At()})
		default:
			u, err = Decide(w, identity.RequestEmailVerification{User: c.User, Code: code, At: w.At()})
			err = i.sendable(u.EmailVerified, err)
		}
		return err
	})
	return u, c.proven(u, err)
}

func (c EmailVerification) proven(u identity.User, err error) error {
	if err == nil && c.Code != "" && !u.EmailVerified {
		return identity.ErrWrongCode
	}
	return err
}

// EmailVerified answers the user as a request has left him, or refuses what it has refused.
func (i *Identity) EmailVerified(ctx context.Context, c EmailVerification, made Made) (identity.User, error) {
	u, err := i.userAt(ctx, c.User, made)
	if made.Of("identity.user") == (Revision{}) {
		return u, err
	}
	return u, c.proven(u, err)
}

// sendable refuses what would have to be sent where nothing can be.
func (i *Identity) sendable(verified bool, err error) error {
	if err == nil && !verified && i.Mail == nil {
		return ErrNoMail
	}
	return err
}

// newCode is one that nobody can foresee: the alphabet has 32 characters, so that each of a byte's values is as good.
func newCode() identity.Code {
	var b [identity.CodeLength]byte
	_, _ = rand.Read(b[:]) // It never fails.
	for n := range b {
		b[n] = identity.CodeAlphabet[int(b[n])%len(identity.CodeAlphabet)]
	}
	return identity.Code(b[:])
}

// sendContactCode follows a request, while what was asked for is still good.
func (i *Identity) sendContactCode(ctx context.Context, r eventstore.Recorded, e identity.ContactVerificationRequested) error {
	c, err := State[identity.Contact](ctx, i.Executor, r.Stream)
	if err != nil {
		return err
	}
	return i.sendCode(ctx, r, c.Proof, e.ExpiresAt, value.Or(c.Details.Email))
}

// sendEmailCode follows a request, while what was asked for is still good.
func (i *Identity) sendEmailCode(ctx context.Context, r eventstore.Recorded, e identity.UserEmailVerificationRequested) error {
	u, err := State[identity.User](ctx, i.Executor, r.Stream)
	if err != nil {
		return err
	}
	return i.sendCode(ctx, r, u.EmailProof, e.ExpiresAt, u.Email)
}

// errNoMailHere is a mistake of who configured this process otherwise than the one that was asked.
var errNoMailHere = errors.New("commands: a code is to be sent, and this process has no mail configured")

// sendCode sends the code of a request that no later one, no other address and no proof has overtaken.
func (i *Identity) sendCode(ctx context.Context, r eventstore.Recorded, p identity.Proof, expires time.Time, to value.Email) error {
	switch {
	case !p.IsOpen(i.Executor.Now()) || !p.Expires.Equal(expires) || to == "":
		return nil
	case i.Mail == nil:
		return errNoMailHere
	}
	return i.Mail.Send(ctx, gateway.Message{
		To: string(to), Key: r.ID.String(), Subject: "Your verification code",
		Text: fmt.Sprintf("%s is the code that verifies this address. It is good until %s.\n\nIf you have not asked for it, there is nothing to do.\n",
			p.Code.Spelled(), p.Expires.UTC().Format("15:04 UTC on 2 January 2006")),
	})
}
