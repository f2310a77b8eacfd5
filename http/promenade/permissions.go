package promenade

import (
	"strings"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/http/web"
	"gesta/projections"
)

func (a api) permissionRoutes() []web.Route {
	const permissions, kind = prefix + "/identity/permissions", "identity.permission"
	return []web.Route{
		web.Post(permissions, web.May("permissions:create"), web.Make(web.Takes(a.newPermission), a.Identity.CreatePermission, a.Identity.CreatedPermission, showChangedPermission)).
			Does("Create a permission").Refuses(400, 401, 403, 409).Of(kind),
		web.Get(permissions, web.May("permissions:read"), web.Handle(web.Lists(20, 100), a.Roles.Permissions, showPermissions)).
			Does("List permissions").Refuses(400, 401, 403),
		web.Get(permissions+"/name/:name", web.May("permissions:read"), web.Handle(web.Reads(permissionName), a.Roles.PermissionByName, showPermission)).
			Does("Find a permission by name").Refuses(401, 403, 404),
		web.Get(permissions+"/role/:role_id", web.May("permissions:read"), web.Handle(web.Within(roleNamed("role_id"), 20, 100), a.permissionsOfRole, showPermissions)).
			Does("List the permissions of a role").Refuses(400, 401, 403, 404),
		web.Get(permissions+"/:id", web.May("permissions:read"), web.Handle(web.Reads(permissionNamed), a.Roles.FindPermission, showPermission)).
			Does("Find a permission").Refuses(401, 403, 404).Of(kind),
		web.Put(permissions+"/:id", web.May("permissions:update"), web.Handle(web.Takes(a.permissionChange), a.Identity.DescribePermission, showChangedPermission)).
			Does("Describe a permission").Refuses(400, 401, 403, 404).Of(kind),
		web.Delete(permissions+"/:id", web.May("permissions:delete"), web.Do(web.Reads(a.permissionDeletion), a.Identity.DeletePermission)).
			Does("Delete a permission, and withdraw it from all roles").Refuses(401, 403, 404).Of(kind),
	}
}

// newPermission asks for a permission. Its name is resource:action.
type newPermission struct {
	// A kind of things, as in customers: 2 to 50 letters, digits, _ and -, kept in lower case; or * for every kind.
	Resource string `json:"resource" required:"true"`
	// What can be done to them, as in read; or * for everything.
	Action string `json:"action" required:"true"`
	// At most 500 characters.
	Description string `json:"description"`
}

func (a api) newPermission(_ *web.Request, in newPermission) (commands.NewPermission, error) {
	var f web.Fields
	return commands.NewPermission{
		Realm:       a.realm,
		Resource:    web.Field(&f, "resource", in.Resource, identity.ParsePermissionWord),
		Action:      web.Field(&f, "action", in.Action, identity.ParsePermissionWord),
		Description: web.Field(&f, "description", in.Description, identity.ParseDescription),
	}, f.Err()
}

// permissionChange says what is to be said about a permission; its name stays.
type permissionChange struct {
	// At most 500 characters.
	Description *string `json:"description"`
}

func (a api) permissionChange(r *web.Request, in permissionChange) (commands.PermissionChange, error) {
	p, err := permissionNamed(r)
	if err != nil {
		return commands.PermissionChange{}, err
	}
	var f web.Fields
	return commands.PermissionChange{
		Realm: a.realm, By: r.Caller, Permission: p, Description: web.Optional(&f, "description", in.Description, identity.ParseDescription),
	}, f.Err()
}

func permissionNamed(r *web.Request) (identity.PermissionID, error) {
	i, err := web.ULID.ID(r, "id", identity.ErrPermissionNotFound)
	return identity.PermissionID{ID: i}, err
}

func permissionName(r *web.Request) (identity.Permission, error) {
	resource, action, _ := strings.Cut(r.Param("name"), ":")
	resource, err1 := identity.ParsePermissionWord(resource)
	action, err2 := identity.ParsePermissionWord(action)
	if err1 != nil || err2 != nil {
		return "", identity.ErrPermissionNotFound
	}
	return identity.PermissionTo(resource, action), nil
}

func (a api) permissionDeletion(r *web.Request) (commands.PermissionDeletion, error) {
	p, err := permissionNamed(r)
	return commands.PermissionDeletion{Realm: a.realm, By: r.Caller, Permission: p}, err
}

// permission is what somebody may do to things of a kind.
type permission struct {
	ID       string `json:"id" format:"ulid"`
	Resource string `json:"resource"`
	Action   string `json:"action"`
	// Both of them, as in customers:read.
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// showChangedPermission shows what a command led to, as a GET would.
func showChangedPermission(d identity.PermissionDefinition) permission {
	return showPermission(projections.PermissionOf(d))
}

func showPermission(p projections.Permission) permission {
	return permission{
		ID: web.ULID.Write(p.ID), Resource: p.Resource, Action: p.Action,
		Name: string(identity.PermissionTo(p.Resource, p.Action)), Description: p.Description,
		CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

func showPermissions(p projections.Paged[projections.Permission]) web.List[permission] {
	return web.ListOf(p, showPermission)
}
