package promenade

import (
	"context"
	"errors"
	"slices"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/http/web"
	"gesta/projections"
)

func (a api) roleRoutes() []web.Route {
	const roles, users, kind = prefix + "/identity/roles", prefix + "/identity/users", "identity.role"
	return slices.Concat([]web.Route{
		web.Post(roles, web.May("roles:create"), web.Make(web.Takes(a.newRole), a.Identity.CreateRole, a.Identity.CreatedRole, showChangedRole)).
			Does("Create a role").Refuses(400, 401, 403, 409).Of(kind),
		web.Get(roles, web.May("roles:read"), web.Handle(web.Lists(20, 100), a.Roles.List, showRoles)).
			Does("List roles").Refuses(400, 401, 403),
		web.Get(roles+"/name/:name", web.May("roles:read"), web.Handle(web.Reads(roleName), a.Roles.ByName, showRole)).
			Does("Find a role by name").Refuses(401, 403, 404),
		web.Get(roles+"/user/:user_id", web.May("roles:read"), web.Handle(web.Within(userNamed("user_id"), 20, 100), a.rolesOfUser, showRoles)).
			Does("List the roles of a user").Refuses(400, 401, 403, 404),
		web.Get(roles+"/:id", web.May("roles:read"), web.Handle(web.Reads(roleNamed("id")), a.Roles.Find, showRole)).
			Does("Find a role").Refuses(401, 403, 404).Of(kind),
		web.Put(roles+"/:id", web.May("roles:update"), web.Handle(web.Takes(a.roleChange), a.Identity.ChangeRole, showChangedRole)).
			Does("Change how a role is shown").Refuses(400, 401, 403, 404).Of(kind),
		web.Delete(roles+"/:id", web.May("roles:delete"), web.Do(web.Reads(a.roleDeletion), a.Identity.DeleteRole)).
			Does("Delete a role").Refuses(401, 403, 404).Of(kind),

		web.Get(roles+"/:id/permissions", web.May("roles:read"), web.Handle(web.Within(roleNamed("id"), 20, 100), a.permissionsOfRole, showPermissions)).
			Does("List the permissions of a role").Refuses(400, 401, 403, 404),
		web.Post(roles+"/:id/permissions", web.May("roles:update"), web.Make(web.Takes(a.granting), a.Identity.GrantPermissions, a.Identity.Granted, showChangedRole)).
			Does("Grant permissions to a role").Answers(200).Refuses(400, 401, 403, 404, 409).Of(kind),
		web.Delete(roles+"/:id/permissions/:permissionId", web.May("roles:update"), web.Do(web.Reads(a.withdrawal), a.Identity.WithdrawPermissions)).
			Does("Withdraw a permission from a role").Refuses(401, 403, 404).Of(kind),

		web.Get(users+"/:id/roles", web.May("roles:read"), web.Handle(web.Within(userNamed("id"), 20, 100), a.rolesOfUser, showRoles)).
			Does("List the roles of a user").Refuses(400, 401, 403, 404),
		web.Post(users+"/:id/roles", web.May("roles:assign"), web.Make(web.Takes(a.assignment), a.Identity.AssignRole, a.Identity.Assigned, showChangedRole)).
			Does("Assign a role to a user").Answers(200).Refuses(400, 401, 403, 404, 409),
		web.Delete(users+"/:id/roles/:roleId", web.May("roles:assign"), web.Do(web.Reads(a.unassignment), a.Identity.UnassignRole)).
			Does("Take a role from a user").Refuses(401, 403, 404),
	}, a.permissionRoutes())
}

// newRole asks for a role.
type newRole struct {
	// 2 to 50 letters, digits, _ and -; kept in lower case. It stays.
	Name string `json:"name" required:"true"`
	// 2 to 100 characters.
	DisplayName string `json:"display_name" required:"true"`
	// At most 500 characters.
	Description string `json:"description"`
}

func (a api) newRole(_ *web.Request, in newRole) (commands.NewRole, error) {
	var f web.Fields
	return commands.NewRole{
		Realm:       a.realm,
		Name:        web.Field(&f, "name", in.Name, identity.ParseRoleName),
		DisplayName: web.Field(&f, "display_name", in.DisplayName, identity.ParseDisplayName),
		Description: web.Field(&f, "description", in.Description, identity.ParseDescription),
	}, f.Err()
}

// roleChange says how a role is to be shown; what is left out stays.
type roleChange struct {
	// 2 to 100 characters.
	DisplayName *string `json:"display_name"`
	// At most 500 characters.
	Description *string `json:"description"`
}

func (a api) roleChange(r *web.Request, in roleChange) (commands.RoleChange, error) {
	role, err := roleNamed("id")(r)
	if err != nil {
		return commands.RoleChange{}, err
	}
	var f web.Fields
	return commands.RoleChange{
		Realm: a.realm, By: r.Caller, Role: role,
		DisplayName: web.Optional(&f, "display_name", in.DisplayName, identity.ParseDisplayName),
		Description: web.Optional(&f, "description", in.Description, identity.ParseDescription),
	}, f.Err()
}

// roleNamed reads the role that a path names.
func roleNamed(param string) func(*web.Request) (identity.RoleID, error) {
	return func(r *web.Request) (identity.RoleID, error) {
		i, err := web.ULID.ID(r, param, identity.ErrRoleNotFound)
		return identity.RoleID{ID: i}, err
	}
}

// userNamed reads the user that a path names.
func userNamed(param string) func(*web.Request) (identity.UserID, error) {
	return func(r *web.Request) (identity.UserID, error) {
		i, err := web.ULID.ID(r, param, identity.ErrUserNotFound)
		return identity.UserID{ID: i}, err
	}
}

func roleName(r *web.Request) (identity.Role, error) {
	name, err := identity.ParseRoleName(r.Param("name"))
	if err != nil {
		err = identity.ErrRoleNotFound
	}
	return name, err
}

func (a api) roleDeletion(r *web.Request) (commands.RoleDeletion, error) {
	role, err := roleNamed("id")(r)
	return commands.RoleDeletion{Realm: a.realm, By: r.Caller, Role: role}, err
}

func (a api) rolesOfUser(ctx context.Context, p web.Part[identity.UserID]) (projections.Paged[projections.Role], error) {
	return a.Roles.OfUser(ctx, p.Of, p.Page)
}

func (a api) permissionsOfRole(ctx context.Context, p web.Part[identity.RoleID]) (projections.Paged[projections.Permission], error) {
	return a.Roles.PermissionsOf(ctx, p.Of, p.Page)
}

// granting names permissions.
type granting struct {
	// Up to 100 permissions of the realm.
	PermissionIDs []string `json:"permission_ids" format:"ulid" required:"true"`
}

// maxGranted bounds what is granted at once.
const maxGranted = 100

var errGranted = errors.New("must be 1 to 100 ids of permissions")

func (a api) granting(r *web.Request, in granting) (commands.Granting, error) {
	role, err := roleNamed("id")(r)
	g := commands.Granting{Realm: a.realm, By: r.Caller, Role: role}
	if err != nil {
		return g, err
	}
	if n := len(in.PermissionIDs); n < 1 || n > maxGranted {
		return g, web.ErrBody.In(web.Wrong("permission_ids", errGranted))
	}
	for _, text := range in.PermissionIDs {
		i, err := web.ULID.Parse(text)
		if err != nil {
			return g, web.ErrBody.In(web.Wrong("permission_ids", errGranted))
		}
		g.Permissions = append(g.Permissions, identity.PermissionID{ID: i})
	}
	return g, nil
}

func (a api) withdrawal(r *web.Request) (commands.Granting, error) {
	role, err1 := roleNamed("id")(r)
	i, err2 := web.ULID.ID(r, "permissionId", identity.ErrNotGranted)
	return commands.Granting{
		Realm: a.realm, By: r.Caller, Role: role, Permissions: []identity.PermissionID{{ID: i}},
	}, errors.Join(err1, err2)
}

// assignment names a role.
type assignment struct {
	RoleID string `json:"role_id" format:"ulid" required:"true"`
}

func (a api) assignment(r *web.Request, in assignment) (commands.Assignment, error) {
	u, err := userNamed("id")(r)
	if err != nil {
		return commands.Assignment{}, err
	}
	var f web.Fields
	role := identity.RoleID{ID: web.Field(&f, "role_id", in.RoleID, web.ULID.Parse)}
	return commands.Assignment{Realm: a.realm, By: r.Caller, User: u, Role: role}, f.Err()
}

func (a api) unassignment(r *web.Request) (commands.Assignment, error) {
	u, err1 := userNamed("id")(r)
	i, err2 := web.ULID.ID(r, "roleId", identity.ErrRoleNotAssigned)
	return commands.Assignment{Realm: a.realm, By: r.Caller, User: u, Role: identity.RoleID{ID: i}}, errors.Join(err1, err2)
}

// role is what users can be, and what that allows.
type role struct {
	ID          string `json:"id" format:"ulid"`
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Description string `json:"description"`
	// Whether it was there from the beginning, and can't be deleted.
	IsSystem bool `json:"is_system"`
	// The names of those that it holds, such as customers:read. A * stands for everything.
	Permissions []string  `json:"permissions"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// showChangedRole shows what a command led to, as a GET would.
func showChangedRole(d identity.RoleDefinition) role { return showRole(projections.RoleOf(d)) }

func showRole(r projections.Role) role {
	return role{
		ID: web.ULID.Write(r.ID), Name: r.Name, DisplayName: r.DisplayName, Description: r.Description, IsSystem: r.System,
		Permissions: append([]string{}, r.Permissions...), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

func showRoles(p projections.Paged[projections.Role]) web.List[role] { return web.ListOf(p, showRole) }
