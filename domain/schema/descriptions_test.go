package schema

import (
	"reflect"
	"testing"

	"gesta/domain"
	"gesta/domain/schema/commenttest"
)

func TestDescriptionsAreTheCommentsOfTheSource(t *testing.T) {
	t.Parallel()
	commenttest.Golden(t, "descriptions.json", func(_ string, tag reflect.StructTag) bool {
		return tag.Get(domain.PrivacyTag) != ""
	}, "domain", "eventstore")
}
