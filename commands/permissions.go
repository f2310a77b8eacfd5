package commands

import (
	"context"

	"gesta/domain/identity"
)

// May refuses, with identity.ErrForbidden, who does not hold a permission at the moment.
func (i *Identity) May(ctx context.Context, c identity.Caller, p identity.Permission) error {
	return identity.ErrForbidden
}
