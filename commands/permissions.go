package commands

import (
	"context"
	"slices"

	"gesta/domain"
	"gesta/domain/identity"
)

// May refuses, with identity.ErrForbidden, who does not hold a permission at the moment. It looks at the write side, so
// that what was granted or taken away counts at once: in one round trip where his roles are those that he had when
// they were last looked at here.
func (i *Identity) May(ctx context.Context, c identity.Caller, p identity.Permission) error {
	ctx = remembering(ctx)
	u, err := i.withRoles(ctx, c)
	if err != nil {
		return err
	}
	if u.Status == identity.Active && u.Realm == c.Realm {
		for _, r := range u.Roles {
			d, err := State[identity.RoleDefinition](ctx, i.Executor, identity.RoleStream(r))
			if err != nil {
				return err
			}
			if i.realm(u.Realm).Allows(d, p) {
				return nil
			}
		}
	}
	return identity.ErrForbidden
}

// realm has a realm's rules, if policies and permissions go by any.
func (i *Identity) realm(name string) identity.Realm {
	r := i.Realms[name]
	r.Name = name
	return r
}

// withRoles answers a caller as he is now, and has surveyed the roles that he has.
func (i *Identity) withRoles(ctx context.Context, c identity.Caller) (u identity.User, err error) {
	self := identity.UserStream(c.User)
	kept, _ := i.Executor.states.Get(self)
	before, _ := kept.state.(identity.User)
	if err := i.Executor.survey(ctx, "", slices.Insert(roleStreams(before.Roles), 0, self)...); err != nil {
		return u, err
	}
	if u, err = State[identity.User](ctx, i.Executor, self); err != nil {
		return u, err
	}
	others := slices.DeleteFunc(slices.Clone(u.Roles), before.Has)
	if len(others) == 0 {
		return u, nil
	}
	return u, i.Executor.survey(ctx, "", roleStreams(others)...)
}

func roleStreams(roles []identity.RoleID) (all []domain.Stream) {
	for _, r := range roles {
		all = append(all, identity.RoleStream(r))
	}
	return all
}

// Prepare makes the system roles of a realm and the permissions that there are from the beginning, in one append. What
// exists is left alone: an administrator may have changed what a role holds.
func (i *Identity) Prepare(ctx context.Context, realm identity.Realm) error {
	ctx = remembering(domain.ActingAs(ctx, "system", realm.Name))
	var streams []domain.Stream
	for _, p := range realm.Catalogue() {
		streams = append(streams, identity.PermissionStream(identity.SystemPermissionID(realm.Name, p)))
	}
	for _, r := range realm.SystemRoles {
		streams = append(streams, identity.RoleStream(identity.SystemRoleID(realm.Name, r.Name)))
	}
	if len(streams) == 0 {
		return nil
	}
	if err := i.Executor.survey(ctx, "", streams...); err != nil {
		return err
	}
	return i.Executor.Do(ctx, func(w *Work) error {
		if err := w.Hold(streams...); err != nil {
			return err
		}
		all := map[identity.Permission]identity.PermissionDefinition{}
		for _, p := range realm.Catalogue() {
			var err error
			if all[p], err = preparePermission(w, realm, p); err != nil {
				return err
			}
		}
		for _, r := range realm.SystemRoles {
			if err := prepareRole(w, realm, r, all); err != nil {
				return err
			}
		}
		return nil
	})
}

// preparePermission answers the permission's definition, which may be one that an administrator has made before the
// program asked for such a permission.
func preparePermission(w *Work, realm identity.Realm, p identity.Permission) (d identity.PermissionDefinition, err error) {
	own := identity.SystemPermissionID(realm.Name, p)
	if d, err = Look[identity.PermissionDefinition](w, identity.PermissionStream(own)); err != nil || !d.ID.IsZero() {
		return d, err
	}
	other, held, err := w.x.Holder(w.ctx, identity.PermissionClaim(realm.Name, p))
	switch {
	case err != nil:
		return d, err
	case held && other == identity.PermissionStream(own): // Another process was faster than what was read of it.
		return d, w.restart(&rerun{need: slices.Clone(w.locked), conflict: true, reread: true})
	case held:
		return Look[identity.PermissionDefinition](w, other)
	}
	resource, action := p.Parts()
	return Decide(w, identity.CreatePermission{Permission: own, Realm: realm.Name, Resource: resource, Action: action})
}

func prepareRole(w *Work, realm identity.Realm, r identity.SystemRole, all map[identity.Permission]identity.PermissionDefinition) error {
	role := identity.SystemRoleID(realm.Name, r.Name)
	d, err := Look[identity.RoleDefinition](w, identity.RoleStream(role))
	if err != nil || !d.ID.IsZero() {
		return err
	}
	if _, taken, err := w.x.Holder(w.ctx, identity.RoleClaim(realm.Name, r.Name)); err != nil || taken {
		return err // An administrator has made one of that name before the program knew it.
	}
	d, err = Decide(w, identity.CreateRole{
		Role: role, Realm: realm.Name, Name: r.Name, DisplayName: r.DisplayName, Description: r.Description, System: true,
	})
	for _, p := range r.Permissions {
		if err == nil {
			d, err = grant(w, d, all[p])
		}
	}
	return err
}
