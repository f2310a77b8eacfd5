package crm_test

import (
	"testing"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/spec"
)

// examples is one event of each type.
var examples = []domain.Event{
	created,
	crm.CustomerNameChanged{CustomerID: john, Name: "John Doe Updated"},
	crm.CustomerPhoneChanged{CustomerID: john, Phone: "+15550100"},
	crm.CustomerSourceChanged{CustomerID: john, From: "website", To: "fair"},
	qualified, converted, churned, reactivated,
	crm.CustomerTierUpgraded{CustomerID: john, Status: crm.Active, From: crm.Basic, To: crm.Pro},
	crm.CustomerTierDowngraded{CustomerID: john, Status: crm.Active, From: crm.Pro, To: crm.Basic},
	crm.CustomerAssigned{CustomerID: john, From: rep, To: other},
	crm.CustomerTagged{CustomerID: john, Tag: "vip"},
	crm.CustomerUntagged{CustomerID: john, Tag: "vip"},
	linked, deleted,
}

func TestEvents(t *testing.T) { spec.Examples(t, crm.Types, examples) }

func TestAggregates(t *testing.T) { spec.Aggregates(t, crm.Types, crm.Aggregates) }

var catalogue = domain.NewCatalogue(crm.Types)

// No bytes may make a decoder or a state panic.
func FuzzDecode(f *testing.F) {
	for i, e := range examples {
		enc, err := catalogue.Encode(e, spec.Clear{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, enc.Data)
	}
	f.Fuzz(func(_ *testing.T, i int, data []byte) {
		typ := crm.Types[uint(i)%uint(len(crm.Types))]
		if e, err := catalogue.Decode(typ.Name, typ.Schema, data, nil, spec.Clear{}); err == nil {
			crm.Customer{}.Evolve(e, spec.At)
		}
	})
}
