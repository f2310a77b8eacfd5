package projections

import (
	"context"
	"slices"
	"time"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore/postgres"
)

// Role is a role as readers see one.
type Role struct {
	ID          id.ID
	Name        string
	DisplayName string
	Description string
	System      bool     // one of the realm's own
	Permissions []string // by name
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Version     int64 // of its stream, at the last event that changed any of this
}

// Revision is the role as a thing that can be asked for again.
func (r Role) Revision() (id.ID, int64) { return r.ID, r.Version }

// Permission is a permission as readers see one.
type Permission struct {
	ID          id.ID
	Resource    string
	Action      string
	Description string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Version     int64 // of its stream, at the last event that changed any of this
}

// Revision is the permission as a thing that can be asked for again.
func (p Permission) Revision() (id.ID, int64) { return p.ID, p.Version }

const (
	roleColumns = `id, name, display_name, description, system,
		array(select p.name from role_permissions p where p.role = roles.id order by p.name collate "C"), created_at, updated_at, version`
	permissionColumns = `id, resource, action, description, created_at, updated_at, version`
)

// Roles and permissions are shown page by page in the order of their names.
var (
	roleList       = &List{Table: "roles", Scope: "realm", Key: "id", Shown: roleColumns, Sorts: []string{"name"}}
	permissionList = &List{Table: "permissions", Scope: "realm", Key: "id", Shown: permissionColumns, Sorts: []string{"name"}}
)

// RolesProjection keeps the roles of all realms, what they hold, and who has got which since he was registered.
var RolesProjection = Projection{
	Name: "roles",
	Tables: `
		create table roles (
			id           uuid        not null primary key,
			realm        text        not null,
			name         text        not null,
			display_name text        not null,
			description  text        not null,
			system       boolean     not null,
			created_at   timestamptz not null,
			updated_at   timestamptz not null,
			version      bigint      not null
		);
		create index on roles (realm, name, id);
		create table role_permissions (
			role       uuid not null,
			permission uuid not null,
			name       text not null,
			primary key (role, permission)
		);
		create table permissions (
			id          uuid        not null primary key,
			realm       text        not null,
			name        text        not null,
			resource    text        not null,
			action      text        not null,
			description text        not null,
			created_at  timestamptz not null,
			updated_at  timestamptz not null,
			version     bigint      not null
		);
		create index on permissions (realm, name, id);
		create table user_roles (
			account uuid    not null,
			role    uuid    not null,
			has     boolean not null,
			primary key (account, role)
		);
		` + roleList.CountsTable() + `;
		` + permissionList.CountsTable(),
	Rules: []Rule{
		On(func(w Write, e identity.RoleCreated) {
			w.Exec(`insert into roles (id, realm, name, display_name, description, system, created_at, updated_at, version)
				values ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
				w.key(), e.Realm, string(e.Name), e.DisplayName, e.Description, e.System, w.Event.OccurredAt, w.Event.Version)
			w.Counts(roleList, e.Realm).Add(1)
		}),
		On(func(w Write, e identity.RoleChanged) {
			w.Exec(`update roles set display_name = $2, description = $3 where id = $1`, w.key(), e.DisplayName, e.Description)
			w.touch("roles")
		}),
		On(func(w Write, e identity.RoleDeleted) {
			w.Exec(`delete from roles where id = $1`, w.key())
			w.Exec(`delete from role_permissions where role = $1`, w.key())
			w.Counts(roleList, e.Realm).Add(-1)
		}),
		On(func(w Write, e identity.RolePermissionGranted) {
			w.Exec(`insert into role_permissions (role, permission, name) values ($1, $2, $3) on conflict do nothing`,
				w.key(), [16]byte(e.PermissionID.ID), string(e.Permission))
			w.touch("roles")
		}),
		On(func(w Write, e identity.RolePermissionWithdrawn) {
			w.Exec(`delete from role_permissions where role = $1 and permission = $2`, w.key(), [16]byte(e.PermissionID.ID))
			w.touch("roles")
		}),
		On(func(w Write, e identity.PermissionCreated) {
			w.Exec(`insert into permissions (id, realm, name, resource, action, description, created_at, updated_at, version)
				values ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
				w.key(), e.Realm, string(identity.PermissionTo(e.Resource, e.Action)), e.Resource, e.Action, e.Description,
				w.Event.OccurredAt, w.Event.Version)
			w.Counts(permissionList, e.Realm).Add(1)
		}),
		On(func(w Write, e identity.PermissionDescriptionChanged) {
			w.Exec(`update permissions set description = $2 where id = $1`, w.key(), e.Description)
			w.touch("permissions")
		}),
		On(func(w Write, e identity.PermissionDeleted) {
			w.Exec(`delete from permissions where id = $1`, w.key())
			w.Counts(permissionList, e.Realm).Add(-1)
		}),
		On(func(w Write, e identity.UserRoleAssigned) { w.setRole(e.RoleID, true) }),
		On(func(w Write, e identity.UserRoleWithdrawn) { w.setRole(e.RoleID, false) }),
	},
}

// touch notes that the row of the event's own stream has changed.
func (w Write) touch(table string) {
	w.Exec(`update `+table+` set updated_at = $2, version = $3 where id = $1`, w.key(), w.Event.OccurredAt, w.Event.Version)
}

func (w Write) setRole(r identity.RoleID, has bool) {
	w.Exec(`insert into user_roles (account, role, has) values ($1, $2, $3) on conflict (account, role) do update set has = excluded.has`,
		w.key(), [16]byte(r.ID), has)
}

// RoleOf shows a role's folded state as the read model would.
func RoleOf(d identity.RoleDefinition) Role {
	r := Role{
		ID: d.ID.ID, Name: string(d.Name), DisplayName: d.DisplayName, Description: d.Description, System: d.System,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
	for _, g := range d.Grants {
		r.Permissions = append(r.Permissions, string(g.Permission))
	}
	slices.Sort(r.Permissions)
	return r
}

// PermissionOf shows a permission's folded state as the read model would.
func PermissionOf(d identity.PermissionDefinition) Permission {
	return Permission{
		ID: d.ID.ID, Resource: d.Resource, Action: d.Action, Description: d.Description, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

// Roles answers questions about the roles and permissions of one realm.
type Roles struct {
	DB    *postgres.Lookups
	Realm string
}

// Find answers one role, or identity.ErrRoleNotFound.
func (r Roles) Find(ctx context.Context, role identity.RoleID) (Role, error) {
	return one[Role](ctx, r.DB, identity.ErrRoleNotFound,
		`select `+roleColumns+` from roles where realm = $1 and id = $2`, r.Realm, [16]byte(role.ID))
}

// ByName answers the role of that name, or identity.ErrRoleNotFound. While its deletion lags behind, one that is
// deleted may have the name as well: the later one has it.
func (r Roles) ByName(ctx context.Context, name identity.Role) (Role, error) {
	return one[Role](ctx, r.DB, identity.ErrRoleNotFound,
		`select `+roleColumns+` from roles where realm = $1 and name = $2 order by created_at desc limit 1`, r.Realm, string(name))
}

// List answers a page of the roles.
func (r Roles) List(ctx context.Context, q Query) (Paged[Role], error) {
	q.Scope, q.Sort.By = r.Realm, "name"
	return pageOf[Role](ctx, r.DB, roleList, q)
}

// FindPermission answers one permission, or identity.ErrPermissionNotFound.
func (r Roles) FindPermission(ctx context.Context, p identity.PermissionID) (Permission, error) {
	return one[Permission](ctx, r.DB, identity.ErrPermissionNotFound,
		`select `+permissionColumns+` from permissions where realm = $1 and id = $2`, r.Realm, [16]byte(p.ID))
}

// PermissionByName answers the permission of that name, or identity.ErrPermissionNotFound; see ByName.
func (r Roles) PermissionByName(ctx context.Context, p identity.Permission) (Permission, error) {
	return one[Permission](ctx, r.DB, identity.ErrPermissionNotFound,
		`select `+permissionColumns+` from permissions where realm = $1 and name = $2 order by created_at desc limit 1`, r.Realm, string(p))
}

// Permissions answers a page of the permissions.
func (r Roles) Permissions(ctx context.Context, q Query) (Paged[Permission], error) {
	q.Scope, q.Sort.By = r.Realm, "name"
	return pageOf[Permission](ctx, r.DB, permissionList, q)
}

// OfUser answers a page of the roles that a user has, or identity.ErrUserNotFound. He has the one that he was
// registered with until it is taken from him.
func (r Roles) OfUser(ctx context.Context, u identity.UserID, p Page) (Paged[Role], error) {
	return within[Role](ctx, r.DB, p, identity.ErrUserNotFound, roleColumns, `roles`,
		`select id, role from users where realm = $3 and id = $4`,
		`realm = $3 and (
			id in (select role from user_roles where account = (select id from owner) and has)
			or system and name = (select role from owner)
				and id not in (select role from user_roles where account = (select id from owner) and not has))`, `name`,
		r.Realm, [16]byte(u.ID))
}

// PermissionsOf answers a page of the permissions that a role holds, or identity.ErrRoleNotFound.
func (r Roles) PermissionsOf(ctx context.Context, role identity.RoleID, p Page) (Paged[Permission], error) {
	return within[Permission](ctx, r.DB, p, identity.ErrRoleNotFound, permissionColumns, `permissions`,
		`select id from roles where realm = $3 and id = $4`,
		`id in (select permission from role_permissions where role = (select id from owner))`, `resource || ':' || action`,
		r.Realm, [16]byte(role.ID))
}
