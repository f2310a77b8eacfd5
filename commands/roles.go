package commands

import (
	"context"
	"slices"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// ErrEscalation refuses to give or take what the caller does not hold himself.
var ErrEscalation = &domain.Fault{
	Kind: domain.Forbidden, Code: "escalation", Text: "nobody gives or takes permissions that he does not hold himself",
}

// NewRole asks for a role, which holds no permission yet.
type NewRole struct {
	Role                     identity.RoleID // zero for a new id; an id that is taken is refused with ErrExists
	Realm                    identity.Realm
	Name                     identity.Role
	DisplayName, Description string
}

// CreateRole makes a role. It refuses a name that another one has with identity.ErrRoleExists.
func (i *Identity) CreateRole(ctx context.Context, n NewRole) (d identity.RoleDefinition, err error) {
	role := n.Role
	if role.IsZero() {
		role.ID = id.New(i.Executor.Now())
	}
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		d, err = Begin(w, identity.CreateRole{
			Role: role, Realm: n.Realm.Name, Name: n.Name, DisplayName: n.DisplayName, Description: n.Description,
		})
		return err
	})
	return d, err
}

// CreatedRole answers the role that CreateRole has made, as it was then.
func (i *Identity) CreatedRole(ctx context.Context, _ NewRole, made Made) (identity.RoleDefinition, error) {
	return StateAt[identity.RoleDefinition](ctx, i.Executor, made.Of("identity.role"))
}

// RoleChange asks for a role to be shown otherwise; what is nil stays.
type RoleChange struct {
	Realm                    identity.Realm
	Role                     identity.RoleID
	DisplayName, Description *string
}

// ChangeRole changes how a role is shown.
func (i *Identity) ChangeRole(ctx context.Context, c RoleChange) (d identity.RoleDefinition, err error) {
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		if _, err = roleIn(w, c.Realm, c.Role); err == nil {
			d, err = Decide(w, identity.ChangeRole{Role: c.Role, DisplayName: c.DisplayName, Description: c.Description})
		}
		return err
	})
	return d, err
}

// RoleDeletion asks to delete a role.
type RoleDeletion struct {
	Realm identity.Realm
	By    identity.Caller
	Role  identity.RoleID
}

// DeleteRole deletes a role, which counts for nothing from then on, whoever has it.
func (i *Identity) DeleteRole(ctx context.Context, c RoleDeletion) error {
	return i.Executor.Do(ctx, func(w *Work) error {
		d, err := roleIn(w, c.Realm, c.Role)
		if err != nil {
			return err
		}
		if err := mayMove(w, c.Realm, c.By, d); err != nil {
			return err
		}
		_, err = Decide(w, identity.DeleteRole{Role: c.Role})
		return err
	})
}

// Granting asks for permissions to be granted to a role, or one to be withdrawn.
type Granting struct {
	Realm       identity.Realm
	By          identity.Caller
	Role        identity.RoleID
	Permissions []identity.PermissionID
}

// GrantPermissions grants a role all of the permissions or none.
func (i *Identity) GrantPermissions(ctx context.Context, g Granting) (d identity.RoleDefinition, err error) {
	ctx = remembering(ctx)
	if err := i.Executor.survey(ctx, "", g.streams()...); err != nil {
		return d, err
	}
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		if err := w.Hold(g.streams()...); err != nil {
			return err
		}
		if d, err = g.role(w); err != nil {
			return err
		}
		a, err := authorityOf(w, g.Realm, g.By)
		if err != nil {
			return err
		}
		for _, one := range g.Permissions {
			p, err := permissionIn(w, g.Realm, one)
			if err != nil {
				return err
			}
			if !a.holds(p.Name()) {
				return ErrEscalation
			}
			if d, err = grant(w, d, p); err != nil {
				return err
			}
		}
		return nil
	})
	return d, err
}

// Granted answers the role as it was after GrantPermissions.
func (i *Identity) Granted(ctx context.Context, g Granting, made Made) (identity.RoleDefinition, error) {
	return i.roleAt(ctx, g.Role, made)
}

// WithdrawPermissions withdraws from a role all of the permissions or none.
func (i *Identity) WithdrawPermissions(ctx context.Context, g Granting) error {
	return i.Executor.Do(ctx, func(w *Work) error {
		d, err := g.role(w)
		if err != nil {
			return err
		}
		a, err := authorityOf(w, g.Realm, g.By)
		if err != nil {
			return err
		}
		for _, one := range g.Permissions {
			if p, has := d.Grant(one); has && !a.holds(p) {
				return ErrEscalation
			}
			if _, err := Decide(w, identity.WithdrawPermission{Role: g.Role, ID: one}); err != nil {
				return err
			}
		}
		return nil
	})
}

// streams are those that a grant looks at, but for the caller's.
func (g Granting) streams() []domain.Stream {
	all := []domain.Stream{identity.RoleStream(g.Role)}
	for _, p := range g.Permissions {
		all = append(all, identity.PermissionStream(p))
	}
	return all
}

// role answers the role, whose permissions must not be fixed.
func (g Granting) role(w *Work) (identity.RoleDefinition, error) {
	d, err := roleIn(w, g.Realm, g.Role)
	if err == nil && g.Role == g.Realm.AdministratorID() {
		err = identity.ErrFixedGrants
	}
	return d, err
}

// grant has a role hold a permission. It is a fact of the permission's stream as well, so that of a grant and a deletion
// at the same moment one finds that the stream has moved.
func grant(w *Work, d identity.RoleDefinition, p identity.PermissionDefinition) (identity.RoleDefinition, error) {
	if _, has := d.Grant(p.ID); has {
		return d, nil
	}
	if _, err := Decide(w, identity.UsePermission{Permission: p.ID, Role: d.ID}); err != nil {
		return d, err
	}
	return Decide(w, identity.GrantPermission{Role: d.ID, ID: p.ID, Permission: p.Name()})
}

// Assignment asks to give a role to a user, or to take it away.
type Assignment struct {
	Realm identity.Realm
	By    identity.Caller
	User  identity.UserID
	Role  identity.RoleID
}

// AssignRole gives a role to a user and answers the role. Of those that he has, it takes away what was deleted.
func (i *Identity) AssignRole(ctx context.Context, a Assignment) (d identity.RoleDefinition, err error) {
	err = i.Executor.Do(ctx, func(w *Work) error {
		u, err := userIn(w, a.Realm, a.User)
		if err != nil {
			return err
		}
		if d, err = roleIn(w, a.Realm, a.Role); err != nil {
			return err
		}
		if err := mayMove(w, a.Realm, a.By, d); err != nil {
			return err
		}
		if err := clearRoles(w, a.Realm, u); err != nil {
			return err
		}
		if _, err := Decide(w, identity.AssignRole{User: a.User, Role: a.Role}); err != nil {
			return err
		}
		if a.Role == a.Realm.AdministratorID() && u.Status == identity.Active {
			_, err = Decide(w, identity.JoinRoster{Realm: a.Realm.Name, User: a.User})
		}
		return err
	})
	return d, err
}

// Assigned answers the role that AssignRole has given.
func (i *Identity) Assigned(ctx context.Context, a Assignment, made Made) (identity.RoleDefinition, error) {
	return i.roleAt(ctx, a.Role, made)
}

// clearRoles takes deleted roles away, so that there is room for others.
func clearRoles(w *Work, realm identity.Realm, u identity.User) error {
	roles, err := rolesOf(w, u)
	for n, d := range roles {
		if err == nil && !d.Exists(realm.Name) {
			_, err = Decide(w, identity.UnassignRole{User: u.ID, Role: u.Roles[n]})
		}
	}
	return err
}

// UnassignRole takes a role from a user. The last active administrator keeps his.
func (i *Identity) UnassignRole(ctx context.Context, a Assignment) error {
	return i.Executor.Do(ctx, func(w *Work) error {
		if _, err := userIn(w, a.Realm, a.User); err != nil {
			return err
		}
		d, err := Look[identity.RoleDefinition](w, identity.RoleStream(a.Role))
		if err != nil {
			return err
		}
		if err := mayMove(w, a.Realm, a.By, d); err != nil {
			return err
		}
		if _, err := Decide(w, identity.UnassignRole{User: a.User, Role: a.Role}); err != nil {
			return err
		}
		if a.Role == a.Realm.AdministratorID() {
			_, err = Decide(w, identity.LeaveRoster{Realm: a.Realm.Name, User: a.User})
		}
		return err
	})
}

// NewPermission asks for a permission that roles can be granted.
type NewPermission struct {
	Realm                         identity.Realm
	Resource, Action, Description string
}

// CreatePermission makes a permission. One that there is is refused with identity.ErrPermissionExists.
func (i *Identity) CreatePermission(ctx context.Context, n NewPermission) (d identity.PermissionDefinition, err error) {
	permission := identity.PermissionID{ID: id.New(i.Executor.Now())}
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		d, err = Begin(w, identity.CreatePermission{
			Permission: permission, Realm: n.Realm.Name, Resource: n.Resource, Action: n.Action, Description: n.Description,
		})
		return err
	})
	return d, err
}

// CreatedPermission answers the permission that CreatePermission has made, as it was then.
func (i *Identity) CreatedPermission(ctx context.Context, _ NewPermission, made Made) (identity.PermissionDefinition, error) {
	return StateAt[identity.PermissionDefinition](ctx, i.Executor, made.Of("identity.permission"))
}

// PermissionChange asks for a permission to be described otherwise; nil leaves it as it is.
type PermissionChange struct {
	Realm       identity.Realm
	Permission  identity.PermissionID
	Description *string
}

// DescribePermission changes what is said about a permission.
func (i *Identity) DescribePermission(ctx context.Context, c PermissionChange) (d identity.PermissionDefinition, err error) {
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		if d, err = permissionIn(w, c.Realm, c.Permission); err == nil && c.Description != nil {
			d, err = Decide(w, identity.DescribePermission{Permission: c.Permission, Description: *c.Description})
		}
		return err
	})
	return d, err
}

// PermissionDeletion asks to delete a permission.
type PermissionDeletion struct {
	Realm      identity.Realm
	By         identity.Caller
	Permission identity.PermissionID
}

// DeletePermission deletes a permission and withdraws it, in the same commit, from all roles that hold it. Those that
// rows ask for stay.
func (i *Identity) DeletePermission(ctx context.Context, c PermissionDeletion) error {
	return i.Executor.Do(ctx, func(w *Work) error {
		d, err := permissionIn(w, c.Realm, c.Permission)
		if err != nil {
			return err
		}
		if c.Realm.AsksFor(d.Name()) {
			return identity.ErrSystemPermission
		}
		a, err := authorityOf(w, c.Realm, c.By)
		switch {
		case err != nil:
			return err
		case !a.holds(d.Name()):
			return ErrEscalation
		}
		if _, err := Decide(w, identity.DeletePermission{Permission: c.Permission}); err != nil {
			return err
		}
		return withdraw(w, c.Permission)
	})
}

// withdraw takes a permission from all roles. None slips in between: see grant.
func withdraw(w *Work, p identity.PermissionID) error {
	holders, err := w.holders(identity.PermissionUse(p))
	if err != nil {
		return err
	}
	if err := w.Hold(holders...); err != nil {
		return err
	}
	for _, s := range holders {
		if _, err := Decide(w, identity.WithdrawPermission{Role: identity.RoleID{ID: s.ID}, ID: p}); err != nil {
			return err
		}
	}
	return nil
}

// roleIn hides roles of other realms, and those that were deleted.
func roleIn(w *Work, realm identity.Realm, r identity.RoleID) (identity.RoleDefinition, error) {
	d, err := Look[identity.RoleDefinition](w, identity.RoleStream(r))
	if err == nil && !d.Exists(realm.Name) {
		err = identity.ErrRoleNotFound
	}
	return d, err
}

// permissionIn hides permissions of other realms, and those that were deleted.
func permissionIn(w *Work, realm identity.Realm, p identity.PermissionID) (identity.PermissionDefinition, error) {
	d, err := Look[identity.PermissionDefinition](w, identity.PermissionStream(p))
	if err == nil && !d.Exists(realm.Name) {
		err = identity.ErrPermissionNotFound
	}
	return d, err
}

// roleAt is the role as a request has left it, or as it is where the request has not changed it.
func (i *Identity) roleAt(ctx context.Context, r identity.RoleID, made Made) (identity.RoleDefinition, error) {
	if at := made.Of("identity.role"); at.Version > 0 {
		return StateAt[identity.RoleDefinition](ctx, i.Executor, at)
	}
	return State[identity.RoleDefinition](ctx, i.Executor, identity.RoleStream(r))
}

// rolesOf are a user's roles, deleted ones among them, in his order.
func rolesOf(w *Work, u identity.User) (all []identity.RoleDefinition, err error) {
	if err := w.Hold(roleStreams(u.Roles)...); err != nil {
		return nil, err
	}
	for _, s := range roleStreams(u.Roles) {
		d, err := Look[identity.RoleDefinition](w, s)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// authority is what somebody holds at the moment, and so may give and take.
type authority struct {
	realm identity.Realm
	all   bool // it is the program itself
	roles []identity.RoleDefinition
}

// authorityOf finds out what the caller holds; that he still does is part of what is appended.
func authorityOf(w *Work, realm identity.Realm, by identity.Caller) (a authority, err error) {
	if a.realm = realm; realm.IsItself(by) {
		a.all = true
		return a, nil
	}
	u, err := userIn(w, realm, by.User)
	if err == nil && u.Status != identity.Active {
		err = identity.ErrForbidden
	}
	if err == nil {
		a.roles, err = rolesOf(w, u)
	}
	return a, err
}

// holds tells whether one of the roles gives all that p stands for.
func (a authority) holds(p identity.Permission) bool {
	return a.all || slices.ContainsFunc(a.roles, func(d identity.RoleDefinition) bool { return a.realm.Allows(d, p) })
}

func (a authority) administers() bool {
	return a.all || slices.ContainsFunc(a.roles, func(d identity.RoleDefinition) bool { return d.ID == a.realm.AdministratorID() })
}

// mayMove refuses to give or take a role, or to delete it, who does not hold all that it holds. The role that runs the
// realm is for its holders alone to give and take.
func mayMove(w *Work, realm identity.Realm, by identity.Caller, d identity.RoleDefinition) error {
	a, err := authorityOf(w, realm, by)
	if err != nil {
		return err
	}
	beyond := func(g identity.Granted) bool { return realm.Allows(d, g.Permission) && !a.holds(g.Permission) }
	if d.ID == realm.AdministratorID() && !a.administers() || slices.ContainsFunc(d.Grants, beyond) {
		return ErrEscalation
	}
	return nil
}
