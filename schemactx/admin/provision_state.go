package admin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/postgres"
	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// tenantState is the state of a tenant in the catalogs.
type tenantState struct {
	database string
	role     roleState

	schema   uint32 // the OID of the schema; 0: it does not exist
	mine     bool   // the current role owns the schema
	registry bool   // the schema is the registry's
	open     bool   // PUBLIC has privileges on the schema
	usage    bool   // the tenant's role has USAGE on the schema

	// Whether the tenant's role has its privileges on all existing tables and sequences, and on those
	// that the current role creates later.
	tables, sequences, newTables, newSequences bool

	canLogin     bool // the tenant's role has LOGIN
	inherits     bool // the tenant's role has INHERIT
	connect      bool // the tenant's role, or PUBLIC if there is no role, has CONNECT on the database
	grantConnect bool // the current role may grant CONNECT
}

// tenantStateSQL looks for relations through pg_depend, because no index of pg_class begins with
// the schema, and pg_class is large if there are thousands of tenants.
const tenantStateSQL = `with want as (select $1::name as schema, $3::name as role),
	relation as (
		select relkind, array(select privilege_type from aclexplode(relacl) where grantee = r.oid) as granted
		from want join pg_namespace n on nspname = schema
		join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
			and d.classid = 'pg_class'::regclass
		join pg_class c on c.oid = d.objid
		left join pg_roles r on rolname = role
	),
	coming as (
		select defaclobjtype, array(select privilege_type from aclexplode(defaclacl) where grantee = r.oid) as granted
		from want join pg_namespace n on nspname = schema
		join pg_default_acl a on a.defaclnamespace = n.oid and a.defaclrole = (select oid from pg_roles
			where rolname = current_user)
		left join pg_roles r on rolname = role
	)
	select current_database()::text, r.oid is not null, coalesce(shobj_description(r.oid, 'pg_authid'), ''),
		` + memberSQL + `,
		exists (select from pg_auth_members m where m.roleid = r.oid and m.member = (select oid from pg_roles
			where rolname = $2::name)),
		coalesce(n.oid, 0),
		coalesce(n.nspowner = (select oid from pg_roles where rolname = current_user), false),
		coalesce(obj_description(n.oid, 'pg_namespace') = '` + registrydb.SchemaComment + `', false),
		exists (select from aclexplode(nspacl) where grantee = 0),
		exists (select from aclexplode(nspacl) where grantee = r.oid and privilege_type = 'USAGE'),
		not exists (select from relation where relkind in ('r', 'p', 'v', 'm', 'f')
			and not granted @> '{SELECT,INSERT,UPDATE,DELETE}'),
		not exists (select from relation where relkind = 'S' and not granted @> '{USAGE,SELECT}'),
		exists (select from coming where defaclobjtype = 'r' and granted @> '{SELECT,INSERT,UPDATE,DELETE}'),
		exists (select from coming where defaclobjtype = 'S' and granted @> '{USAGE,SELECT}'),
		coalesce(r.rolcanlogin, false), coalesce(r.rolinherit, true),
		has_database_privilege(coalesce(r.rolname, 'public'), current_database(), 'connect'),
		has_database_privilege(current_database(), 'connect with grant option')
	from want left join pg_namespace n on nspname = schema left join pg_roles r on rolname = role`

// readNew reads only whether the schema or the role of a tenant exists. This is all that the
// creation of a new tenant needs, and a twentieth of the cost of readTenant.
func readNew(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, schema string) (st tenantState, err error) {
	st.tables, st.sequences = true, true // a new schema has no table or sequence without a grant
	err = tx.QueryRow(ctx, `select current_database()::text, coalesce((select oid from pg_namespace
		where nspname = $1::name), 0),
			exists (select from pg_roles where rolname = $2::name)`, pgx.QueryExecModeExec, schema, roles.Tenant(schema)).
		Scan(&st.database, &st.schema, &st.role.exists)
	return st, err
}

// readTenant reads the state of a tenant in one round trip.
func readTenant(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, schema string) (st tenantState, err error) {
	err = tx.QueryRow(ctx, tenantStateSQL, pgx.QueryExecModeExec, schema, roles.Runtime(), roles.Tenant(schema)).Scan(
		&st.database, &st.role.exists, &st.role.comment, &st.role.member, &st.role.joined, &st.schema, &st.mine, &st.registry,
		&st.open, &st.usage,
		&st.tables, &st.sequences, &st.newTables, &st.newSequences, &st.canLogin, &st.inherits, &st.connect, &st.grantConnect)
	return st, err
}

// roleState is the state of a role in the catalogs.
type roleState struct {
	exists  bool
	comment string
	member  bool // the runtime login may SET ROLE to it, and inherits nothing from it by a grant of the current role
	joined  bool // the runtime login is a member, with any options
}

// memberSQL computes [roleState].member of the role r; $2 is the name of the runtime login. Grants
// have options since PostgreSQL 16. The current role cannot change an inheriting grant that another
// role made: [Check] reports it.
const memberSQL = `(select coalesce(bool_or(sets and not inherits), false) and not coalesce(bool_or(inherits
	and own), false)
		from (select coalesce((to_jsonb(m)->>'set_option')::boolean, true),
			coalesce((to_jsonb(m)->>'inherit_option')::boolean, false),
				m.grantor = (select oid from pg_roles where rolname = current_user)
			from pg_auth_members m
			where m.roleid = r.oid and m.member = (select oid from pg_roles where rolname = $2::name)
		) as m(sets, inherits, own))`

// roleComment returns the comment of the roles that this package creates. Roles belong to the whole
// server. The comment names the database that the role was made for, so that two databases that
// share a prefix by mistake do not share roles.
func roleComment(database string) string { return "pgtenant role of database " + database }

// madeFor returns an error if the role exists and was not made for the database.
func (st roleState) madeFor(name, database string) error {
	switch {
	case !st.exists || st.comment == roleComment(database):
		return nil
	case st.comment != "":
		return fmt.Errorf("role %q exists and was not made for database %q: %w", name, database, ErrTaken)
	}
	// The role may be another program's. Then the owner would change its privileges and Setup its
	// password.
	return fmt.Errorf(
		"role %q exists and does not say that it was made for database %q (if it was, run: comment on role %s is %s): %w",
		name,
		database,
		quoteForMessage(name),
		postgres.QuoteLiteral(roleComment(database)),
		ErrTaken,
	)
}

// roleChange returns the change that creates a role with the attributes. It returns an error if the
// role exists and was not made for this database.
func roleChange(name, attributes, database string, st roleState) (change, error) {
	if err := st.madeFor(name, database); err != nil {
		return change{}, err
	}
	quoted, err := schemactx.QuoteName(name)
	return change{done: st.exists, sql: []string{
		"create role " + quoted + " " + attributes,
		"comment on role " + quoted + " is " + postgres.QuoteLiteral(roleComment(database)),
	}}, err
}

// memberChange returns the change that lets member take role by SET ROLE, without inheriting its
// privileges.
func memberChange(role, member string, st roleState, version int) (change, error) {
	quoted, err := schemactx.QuoteName(role)
	if err != nil {
		return change{}, err
	}
	to, err := schemactx.QuoteName(member)
	sql := "grant " + quoted + " to " + to
	if version >= 16 {
		sql += " with inherit false, set true" // before 16, NOINHERIT of the member has this effect
	}
	return change{sql: []string{sql}, done: st.member}, err
}

// passwordChange returns the change that sets a login's password. It is never done already, because
// the server does not tell what the password is.
func passwordChange(role, verifier string) (change, error) {
	quoted, err := schemactx.QuoteName(role)
	return change{
		what: "alter role " + quoted + " password",
		sql:  []string{"alter role " + quoted + " password " + postgres.QuoteLiteral(verifier)},
	}, err
}
