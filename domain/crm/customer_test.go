package crm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/spec"
	"gesta/domain/value"
)

var (
	john  = crm.CustomerID{ID: id.Named("john")}
	rep   = crm.UserID{ID: id.Named("rep")}
	other = crm.UserID{ID: id.Named("other")}
	acme  = crm.CompanyID{ID: id.Named("acme")}

	create = crm.CreateCustomer{
		Customer: john, Name: "John Doe", Email: "john@example.com", Phone: "+441234567890", Status: crm.Lead, Tier: crm.Basic,
		Source: "website", Tags: []crm.Tag{"marketing"}, AssignedTo: rep, Company: acme,
	}
	created = crm.CustomerCreated{
		CustomerID: john, Name: "John Doe", Email: "john@example.com", Phone: "+441234567890", Tier: crm.Basic,
		Source: "website", Tags: []crm.Tag{"marketing"}, AssignedTo: rep, CompanyID: acme,
	}
	qualified   = crm.CustomerQualified{CustomerID: john, Tier: crm.Basic}
	converted   = crm.CustomerConverted{CustomerID: john, Tier: crm.Basic}
	churned     = crm.CustomerChurned{CustomerID: john, Tier: crm.Basic, Reason: "Price too high"}
	reactivated = crm.CustomerReactivated{CustomerID: john, Tier: crm.Basic}
	linked      = crm.CustomerLinked{CustomerID: john, UserID: other}
	deleted     = crm.CustomerDeleted{
		CustomerID: john, Status: crm.Lead, Tier: crm.Basic, Source: "website", Tags: []crm.Tag{"marketing"},
		AssignedTo: rep, CompanyID: acme,
	}

	lead     = spec.Given[crm.Customer](created)
	prospect = spec.Given[crm.Customer](created, qualified)
	customer = spec.Given[crm.Customer](created, qualified, converted)
	gone     = spec.Given[crm.Customer](created, qualified, converted, churned)
	nobody   = spec.Given[crm.Customer]()
	removed  = spec.Given[crm.Customer](created, deleted)
)

func TestCreatingMakesALeadWhoHoldsTheAddress(t *testing.T) {
	c := nobody.When(create).Then(t, created).State
	if got := c.Claims(); !slices.Contains(got, crm.EmailClaim("john@example.com")) {
		t.Errorf("claims: %v", got)
	}
	if c.Status != crm.Lead || c.CreatedAt != spec.At || c.UpdatedAt != spec.At || c.AssignedTo != rep || c.Company != acme {
		t.Errorf("%+v", c)
	}
	lead.When(create).Refused(t, crm.ErrCustomerExists)
}

// Whatever somebody is at first, the history has the whole way to there.
func TestCreatingSomebodyWhoIsMore(t *testing.T) {
	more := create
	more.Status = crm.Prospect
	nobody.When(more).Then(t, created, qualified)
	more.Status = crm.Active
	if c := nobody.When(more).Then(t, created, qualified, converted).State; c.Status != crm.Active || c.ConvertedAt != spec.At {
		t.Errorf("%+v", c)
	}
}

func TestTheWayToBeingACustomerAndBack(t *testing.T) {
	lead.When(crm.QualifyCustomer{Customer: john}).Then(t, qualified)
	prospect.When(crm.ConvertCustomer{Customer: john}).Then(t, converted)
	c := customer.When(crm.ChurnCustomer{Customer: john, Reason: "Price too high"}).Then(t, churned).State
	if c.Status != crm.Churned || c.Reason != "Price too high" || c.ChurnedAt != spec.At {
		t.Errorf("churned: %+v", c)
	}
	c = gone.When(crm.ReactivateCustomer{Customer: john}).Then(t, reactivated).State
	if c.Status != crm.Active || c.Reason != "" || !c.ChurnedAt.IsZero() || c.ConvertedAt != spec.At {
		t.Errorf("reactivated: %+v", c)
	}
}

// There is no other way, and the refusal says what somebody is.
func TestNobodySkipsAStep(t *testing.T) {
	for move, c := range map[string]struct {
		command domain.Command[crm.Customer]
		from    crm.Status
	}{
		"qualified":   {crm.QualifyCustomer{Customer: john}, crm.Lead},
		"converted":   {crm.ConvertCustomer{Customer: john}, crm.Prospect},
		"churned":     {crm.ChurnCustomer{Customer: john, Reason: "x"}, crm.Active},
		"reactivated": {crm.ReactivateCustomer{Customer: john}, crm.Churned},
	} {
		for status, past := range map[crm.Status]spec.Past[crm.Customer]{crm.Lead: lead, crm.Prospect: prospect, crm.Active: customer, crm.Churned: gone} {
			if status != c.from {
				past.When(c.command).Refused(t, crm.ErrStatus)
			}
		}
		if _, err := c.command.Decide(crm.Customer{ID: john, Status: c.from}); err != nil {
			t.Errorf("%s: %v", move, err)
		}
	}
	_, err := crm.ConvertCustomer{Customer: john}.Decide(crm.Customer{ID: john, Status: crm.Churned})
	if err == nil || err.Error() != "this is a churned customer: only a prospect can be converted" {
		t.Error(err)
	}
}

func TestTiersGoUpAndDown(t *testing.T) {
	lead.When(crm.UpgradeCustomer{Customer: john, To: crm.Enterprise}).
		Then(t, crm.CustomerTierUpgraded{CustomerID: john, Status: crm.Lead, From: crm.Basic, To: crm.Enterprise})
	lead.When(crm.DowngradeCustomer{Customer: john, To: crm.Free}).
		Then(t, crm.CustomerTierDowngraded{CustomerID: john, Status: crm.Lead, From: crm.Basic, To: crm.Free})
	for _, to := range []crm.Tier{crm.Basic, crm.Free} {
		lead.When(crm.UpgradeCustomer{Customer: john, To: to}).Refused(t, crm.ErrTier)
	}
	for _, to := range []crm.Tier{crm.Basic, crm.Pro} {
		lead.When(crm.DowngradeCustomer{Customer: john, To: to}).Refused(t, crm.ErrTier)
	}
}

func TestAssigning(t *testing.T) {
	lead.When(crm.AssignCustomer{Customer: john, To: other}).Then(t, crm.CustomerAssigned{CustomerID: john, From: rep, To: other})
	lead.When(crm.AssignCustomer{Customer: john, To: rep}).Nothing(t)
}

func TestTagging(t *testing.T) {
	c := lead.When(crm.TagCustomer{Customer: john, Tag: "a"}).Then(t, crm.CustomerTagged{CustomerID: john, Tag: "a"}).State
	if !slices.Equal(c.Tags, []crm.Tag{"a", "marketing"}) {
		t.Errorf("tags: %v", c.Tags)
	}
	lead.When(crm.TagCustomer{Customer: john, Tag: "marketing"}).Refused(t, crm.ErrTagged)
	c = lead.When(crm.UntagCustomer{Customer: john, Tag: "marketing"}).Then(t, crm.CustomerUntagged{CustomerID: john, Tag: "marketing"}).State
	if len(c.Tags) != 0 {
		t.Errorf("tags: %v", c.Tags)
	}
	lead.When(crm.UntagCustomer{Customer: john, Tag: "a"}).Refused(t, crm.ErrNotTagged)
	full := crm.Customer{ID: john}
	for i := range crm.MaxTags {
		full = full.Evolve(crm.CustomerTagged{CustomerID: john, Tag: crm.Tag(fmt.Sprint("t", i))}, spec.At)
	}
	if _, err := (crm.TagCustomer{Customer: john, Tag: "more"}).Decide(full); err == nil {
		t.Error("there is no end of tags")
	}
}

func TestLinkingOnce(t *testing.T) {
	c := lead.When(crm.LinkCustomer{Customer: john, User: other}).Then(t, linked).State
	if got := c.Claims(); !slices.Contains(got, crm.UserClaim(other)) {
		t.Errorf("claims: %v", got)
	}
	spec.Given[crm.Customer](created, linked).When(crm.LinkCustomer{Customer: john, User: rep}).Refused(t, crm.ErrLinked)
}

func TestChanging(t *testing.T) {
	name, phone, source, tags := "John Doe Updated", value.Phone("+1"), "fair", []crm.Tag{"new", "vip"}
	lead.When(crm.ChangeCustomer{Customer: john, Name: &name, Phone: &phone, Source: &source, Tags: &tags}).Then(t,
		crm.CustomerNameChanged{CustomerID: john, Name: name}, crm.CustomerPhoneChanged{CustomerID: john, Phone: phone},
		crm.CustomerSourceChanged{CustomerID: john, From: "website", To: source},
		crm.CustomerUntagged{CustomerID: john, Tag: "marketing"}, crm.CustomerTagged{CustomerID: john, Tag: "new"}, crm.CustomerTagged{CustomerID: john, Tag: "vip"})
	same, mail := "John Doe", value.Email("john@example.com")
	lead.When(crm.ChangeCustomer{Customer: john, Name: &same, Email: &mail, Tags: &[]crm.Tag{"marketing"}}).Nothing(t)
	another := value.Email("j@example.com")
	lead.When(crm.ChangeCustomer{Customer: john, Name: &name, Email: &another}).Refused(t, crm.ErrEmailFixed)
}

func TestDeletingFreesTheAddress(t *testing.T) {
	c := lead.When(crm.DeleteCustomer{Customer: john}).Then(t, deleted).State
	if !c.Deleted || len(domain.ClaimsOf(c)) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestNothingCanBeAskedOfWhoIsNotThere(t *testing.T) {
	for _, command := range []domain.Command[crm.Customer]{
		crm.ChangeCustomer{Customer: john},
		crm.QualifyCustomer{Customer: john},
		crm.ConvertCustomer{Customer: john},
		crm.ChurnCustomer{Customer: john},
		crm.ReactivateCustomer{Customer: john},
		crm.UpgradeCustomer{Customer: john, To: crm.Pro},
		crm.DowngradeCustomer{Customer: john, To: crm.Free},
		crm.AssignCustomer{Customer: john, To: rep},
		crm.TagCustomer{Customer: john, Tag: "a"},
		crm.UntagCustomer{Customer: john, Tag: "marketing"},
		crm.LinkCustomer{Customer: john, User: rep},
		crm.DeleteCustomer{Customer: john},
	} {
		nobody.When(command).Refused(t, crm.ErrCustomerNotFound)
		removed.When(command).Refused(t, crm.ErrCustomerNotFound)
	}
}

func TestWords(t *testing.T) {
	if tags, err := crm.ParseTags([]string{" VIP ", "a_b-1", "vip"}); err != nil || !slices.Equal(tags, []crm.Tag{"a_b-1", "vip"}) {
		t.Errorf("%v, %v", tags, err)
	}
	for _, bad := range []string{"", " ", "a b", "ä b", "-a", "a\x00", strings.Repeat("a", 51)} {
		if _, err := crm.ParseTag(bad); err == nil {
			t.Errorf("%q is a tag", bad)
		}
		if _, err := crm.ParseSource(bad); (err == nil) != (strings.TrimSpace(bad) == "") {
			t.Errorf("source %q: %v", bad, err)
		}
	}
	for given, want := range map[string]string{" Website ": "website", "trade_fair-2": "trade_fair-2", "": "", " ": ""} {
		if got, err := crm.ParseSource(given); err != nil || got != want {
			t.Errorf("source %q: %q, %v", given, got, err)
		}
	}
	for _, bad := range []string{"", "Lead", "active"} {
		if _, err := crm.ParseStatus(bad); err == nil {
			t.Errorf("%q is a status", bad)
		}
	}
	if _, err := crm.ParseFirstStatus("churned"); err == nil {
		t.Error("somebody begins with the end")
	}
	for given, ok := range map[string]bool{
		"John": true, strings.Repeat("é", 255): true, strings.Repeat("é", 256): false, "": false, " ": false, "a\nb": false, "\xff": false,
	} {
		if _, err := crm.ParseName(given); (err == nil) != ok {
			t.Errorf("name %.20q: %v", given, err)
		}
	}
}
