package identity_test

import (
	"errors"
	"testing"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/spec"
	"gesta/domain/value"
)

var (
	annsWork = identity.ContactID{ID: id.Named("ann's work")}

	workCreated = identity.ContactCreated{ContactID: annsWork, UserID: ann, Type: identity.EmailContact, Details: identity.ContactDetails{
		Label: said("Work"), Email: said(value.Email("ann.work@example.com")),
	}}
	workMoved = identity.ContactChanged{ContactID: annsWork, UserID: ann, Details: identity.ContactDetails{
		Email: said(value.Email("ann@example.org")),
	}}
	workVerified  = identity.ContactVerified{ContactID: annsWork, UserID: ann}
	workLapsed    = identity.ContactVerificationLapsed{ContactID: annsWork, UserID: ann}
	workFirst     = identity.ContactMadePrimary{ContactID: annsWork, UserID: ann, Type: identity.EmailContact}
	workWithdrawn = identity.ContactPrimaryWithdrawn{ContactID: annsWork, UserID: ann, Type: identity.EmailContact}
	workShown     = identity.ContactMadePublic{ContactID: annsWork, UserID: ann}
	workHidden    = identity.ContactMadePrivate{ContactID: annsWork, UserID: ann}
	workDeleted   = identity.ContactDeleted{ContactID: annsWork, UserID: ann}
)

var createWork = identity.CreateContact{Contact: annsWork, User: ann, Type: identity.EmailContact, Details: workCreated.Details}

func changeWork(d identity.ContactDetails) identity.ChangeContact {
	return identity.ChangeContact{Contact: annsWork, Details: d}
}

func TestAContactIsNoPrimaryOneAtFirst(t *testing.T) {
	c := spec.Given[identity.Contact]().When(createWork).Then(t, workCreated).State
	if c.Primary || c.Verified || c.Public || c.CreatedAt != spec.At || len(c.Claims()) != 1 || c.Claims()[0].Scope != identity.ContactScope(ann) {
		t.Errorf("%+v with claims %v", c, c.Claims())
	}
	spec.Given[identity.Contact](workCreated).When(createWork).Refused(t, identity.ErrContactExists)
}

func TestAPrimaryContactIsTheOnlyOneOfItsType(t *testing.T) {
	create := createWork
	create.Primary, create.Public = true, true
	c := spec.Given[identity.Contact]().When(create).Then(t, workCreated, workFirst, workShown).State
	if all := c.Claims(); len(all) != 2 || all[1] != identity.PrimaryContactClaim(ann, identity.EmailContact) || c.Refuse(all[1]) != identity.ErrPrimaryTaken {
		t.Errorf("claims: %v", all)
	}
}

// The refusal names the fields that are not as the type is.
func TestAContactIsOfOneType(t *testing.T) {
	phone := value.Phone("+441234567890")
	wrong := func(why string, cmd domain.Command[identity.Contact], is identity.Contact) {
		t.Helper()
		if _, err := cmd.Decide(is); !errors.Is(err, identity.ErrContactType) || err.Error() != "invalid request body: "+why {
			t.Errorf("%v, want %s", err, why)
		}
	}
	mail := workCreated.Details.Email
	for _, c := range []struct {
		why string
		of  identity.ContactDetails
	}{
		{"email is required", identity.ContactDetails{Label: said("Work")}},
		{"email is required", identity.ContactDetails{Label: said("Work"), Phone: &phone}},
		{"phone is not for a contact of type email", identity.ContactDetails{Label: said("Work"), Email: mail, Phone: &phone}},
		{"address is not for a contact of type email", identity.ContactDetails{Email: mail, Address: &identity.ContactAddress{}}},
	} {
		create := createWork
		create.Details = c.of
		wrong(c.why, create, identity.Contact{})
	}
	work := identity.Contact{}.Evolve(workCreated, spec.At)
	wrong("phone is not for a contact of type email", changeWork(identity.ContactDetails{Phone: &phone}), work)
	change := changeWork(identity.ContactDetails{})
	change.Type = said(identity.PhoneContact)
	wrong("type can't be changed", change, work)
	change.Type = said(identity.EmailContact)
	spec.Given[identity.Contact](workCreated).When(change).Nothing(t)
}

func TestOnlyWhatIsGivenAndNewChangesAContact(t *testing.T) {
	given := spec.Given[identity.Contact](workCreated)
	c := given.When(changeWork(identity.ContactDetails{Label: said("Work"), Email: workMoved.Details.Email})).Then(t, workMoved).State
	if *c.Details.Label != "Work" || *c.Details.Email != "ann@example.org" {
		t.Errorf("%+v", c)
	}
	given.When(changeWork(workCreated.Details)).Nothing(t)
}

func TestAnAddressIsChangedAsAWhole(t *testing.T) {
	home := identity.ContactAddress{Street: "1 High St", Apartment: "2", City: "Lviv", Country: "UA"}
	atHome := identity.ContactCreated{ContactID: annsWork, UserID: ann, Type: identity.AddressContact, Details: identity.ContactDetails{Address: &home}}
	same, other := home, identity.ContactAddress{Street: "1 High St", City: "Lviv", Country: "UA"}
	given := spec.Given[identity.Contact](atHome)
	given.When(changeWork(identity.ContactDetails{Address: &same})).Nothing(t)
	c := given.When(changeWork(identity.ContactDetails{Address: &other})).
		Then(t, identity.ContactChanged{ContactID: annsWork, UserID: ann, Details: identity.ContactDetails{Address: &other}}).State
	if *c.Details.Address != other {
		t.Errorf("%+v", c)
	}
}

func TestAVerificationLastsUntilTheContactIsAnotherOne(t *testing.T) {
	verify := identity.VerifyContact{Contact: annsWork}
	spec.Given[identity.Contact](workCreated).When(verify).Then(t, workVerified)
	verified := spec.Given[identity.Contact](workCreated, workVerified)
	verified.When(verify).Nothing(t)
	if c := verified.When(changeWork(workMoved.Details)).Then(t, workMoved, workLapsed).State; c.Verified {
		t.Errorf("%+v", c)
	}
	relabelled := identity.ContactDetails{Label: said("Office")}
	verified.When(changeWork(relabelled)).Then(t, identity.ContactChanged{ContactID: annsWork, UserID: ann, Details: relabelled})
	spec.Given[identity.Contact](workCreated, workVerified, workMoved, workLapsed).When(verify).Then(t, workVerified)
}

func TestPuttingAContactFirstAndBehind(t *testing.T) {
	first, behind := changeWork(identity.ContactDetails{}), changeWork(identity.ContactDetails{})
	first.Primary, behind.Primary = said(true), said(false)
	spec.Given[identity.Contact](workCreated).When(first).Then(t, workFirst)
	spec.Given[identity.Contact](workCreated).When(behind).Nothing(t)
	primary := spec.Given[identity.Contact](workCreated, workFirst)
	primary.When(first).Nothing(t)
	for _, c := range []domain.Command[identity.Contact]{behind, identity.WithdrawPrimary{Contact: annsWork}} {
		if c := primary.When(c).Then(t, workWithdrawn).State; len(c.Claims()) != 1 {
			t.Errorf("claims: %v", c.Claims())
		}
	}
	spec.Given[identity.Contact](workCreated).When(identity.WithdrawPrimary{Contact: annsWork}).Nothing(t)
	spec.Given[identity.Contact]().When(identity.WithdrawPrimary{Contact: annsWork}).Nothing(t)
}

func TestShowingAContactAndHidingIt(t *testing.T) {
	show, hide := changeWork(identity.ContactDetails{}), changeWork(identity.ContactDetails{})
	show.Public, hide.Public = said(true), said(false)
	spec.Given[identity.Contact](workCreated).When(show).Then(t, workShown)
	spec.Given[identity.Contact](workCreated).When(hide).Nothing(t)
	spec.Given[identity.Contact](workCreated, workShown).When(hide).Then(t, workHidden)
}

func TestADeletedContactIsNone(t *testing.T) {
	c := spec.Given[identity.Contact](workCreated, workFirst).When(identity.DeleteContact{Contact: annsWork}).Then(t, workDeleted).State
	if len(c.Claims()) != 0 {
		t.Errorf("claims: %v", c.Claims())
	}
	for _, none := range []spec.Past[identity.Contact]{
		spec.Given[identity.Contact](), spec.Given[identity.Contact](workCreated, workDeleted),
	} {
		none.When(identity.DeleteContact{Contact: annsWork}).Refused(t, identity.ErrContactNotFound)
		none.When(identity.VerifyContact{Contact: annsWork}).Refused(t, identity.ErrContactNotFound)
		none.When(changeWork(workMoved.Details)).Refused(t, identity.ErrContactNotFound)
	}
}

func TestContactTypes(t *testing.T) {
	if got, err := identity.ParseContactType("address"); err != nil || got != identity.AddressContact {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := identity.ParseContactType("fax"); err == nil {
		t.Errorf("it is taken as %q", got)
	}
}

func TestWhatIsSaidOfAContact(t *testing.T) {
	takes(t, map[string]length{
		"label": {identity.ParseLabel, 1, 50}, "street": {identity.ParseStreet, 1, 255}, "apartment": {identity.ParseApartment, 0, 50},
		"city": {identity.ParseCity, 1, 100}, "state": {identity.ParseState, 0, 100}, "postal code": {identity.ParsePostalCode, 0, 20},
	})
}
