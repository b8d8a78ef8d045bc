package admin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/postgres"

	"github.com/oryne/pgtenant/schemactx"
)

// tenantState is what there is of a tenant.
type tenantState struct {
	database string
	role     roleState

	schema   uint32 // its OID; 0: there is none
	mine     bool   // and belongs to the current role
	registry bool   // and is the registry's
	open     bool   // and PUBLIC has rights on it
	usage    bool   // and the tenant's role may use it

	// The tenant's role has its rights on all that is there, and on what is to come.
	tables, sequences, newTables, newSequences bool

	canLogin     bool // the role may log in
	inherits     bool // it is not NOINHERIT
	connect      bool // the role, or else everybody, may connect to the database
	grantConnect bool // the current role may grant that
}

// tenantStateSQL looks for relations through pg_depend, because no index of pg_class leads with
// the schema, and pg_class is long where there are thousands of tenants.
const tenantStateSQL = `with want as (select $1::name as schema, $3::name as role),
	relation as (
		select relkind, array(select privilege_type from aclexplode(relacl) where grantee = r.oid) as granted
		from want join pg_namespace n on nspname = schema
		join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.classid = 'pg_class'::regclass
		join pg_class c on c.oid = d.objid
		left join pg_roles r on rolname = role
	),
	coming as (
		select defaclobjtype, array(select privilege_type from aclexplode(defaclacl) where grantee = r.oid) as granted
		from want join pg_namespace n on nspname = schema
		join pg_default_acl a on a.defaclnamespace = n.oid and a.defaclrole = (select oid from pg_roles where rolname = current_user)
		left join pg_roles r on rolname = role
	)
	select current_database()::text, r.oid is not null, coalesce(shobj_description(r.oid, 'pg_authid'), ''), ` + memberSQL + `,
		exists (select from pg_auth_members m where m.roleid = r.oid and m.member = (select oid from pg_roles where rolname = $2::name)),
		coalesce(n.oid, 0),
		coalesce(n.nspowner = (select oid from pg_roles where rolname = current_user), false),
		coalesce(obj_description(n.oid, 'pg_namespace') = '` + schemactx.RegistryComment + `', false),
		exists (select from aclexplode(nspacl) where grantee = 0),
		exists (select from aclexplode(nspacl) where grantee = r.oid and privilege_type = 'USAGE'),
		not exists (select from relation where relkind in ('r', 'p', 'v', 'm', 'f') and not granted @> '{SELECT,INSERT,UPDATE,DELETE}'),
		not exists (select from relation where relkind = 'S' and not granted @> '{USAGE,SELECT}'),
		exists (select from coming where defaclobjtype = 'r' and granted @> '{SELECT,INSERT,UPDATE,DELETE}'),
		exists (select from coming where defaclobjtype = 'S' and granted @> '{USAGE,SELECT}'),
		coalesce(r.rolcanlogin, false), coalesce(r.rolinherit, true),
		has_database_privilege(coalesce(r.rolname, 'public'), current_database(), 'connect'),
		has_database_privilege(current_database(), 'connect with grant option')
	from want left join pg_namespace n on nspname = schema left join pg_roles r on rolname = role`

// readNew finds out whether there is anything of the tenant at all: its schema or its role. That is
// a twentieth of the cost of reading all that there is, and all that the making of a new tenant has
// to know.
func readNew(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, schema string) (st tenantState, err error) {
	st.tables, st.sequences = true, true // a new schema has none that lack anything
	err = tx.QueryRow(ctx, `select current_database()::text, coalesce((select oid from pg_namespace where nspname = $1::name), 0),
			exists (select from pg_roles where rolname = $2::name)`, pgx.QueryExecModeExec, schema, roles.Tenant(schema)).
		Scan(&st.database, &st.schema, &st.role.exists)
	return st, err
}

// readTenant reads what there is of a tenant, in one round trip.
func readTenant(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, schema string) (st tenantState, err error) {
	err = tx.QueryRow(ctx, tenantStateSQL, pgx.QueryExecModeExec, schema, roles.Runtime(), roles.Tenant(schema)).Scan(
		&st.database, &st.role.exists, &st.role.comment, &st.role.member, &st.role.joined, &st.schema, &st.mine, &st.registry, &st.open, &st.usage,
		&st.tables, &st.sequences, &st.newTables, &st.newSequences, &st.canLogin, &st.inherits, &st.connect, &st.grantConnect)
	return st, err
}

// roleState is what there is of a role.
type roleState struct {
	exists  bool
	comment string
	member  bool // the runtime login may take it, and does not inherit from it by a grant of the current role
	joined  bool // the runtime login is a member in some way
}

// memberSQL is [roleState].member of the role r; $2 is the name of the runtime login. The options
// came with PostgreSQL 16. A grant that inherits and is somebody else's cannot be changed: [Check]
// finds it.
const memberSQL = `(select coalesce(bool_or(sets and not inherits), false) and not coalesce(bool_or(inherits and own), false)
		from (select coalesce((to_jsonb(m)->>'set_option')::boolean, true), coalesce((to_jsonb(m)->>'inherit_option')::boolean, false),
				m.grantor = (select oid from pg_roles where rolname = current_user)
			from pg_auth_members m
			where m.roleid = r.oid and m.member = (select oid from pg_roles where rolname = $2::name)
		) as m(sets, inherits, own))`

// roleComment is the comment of our roles. Roles belong to the whole server: it says which database
// one was made for, so that two databases that share a prefix by mistake do not share roles.
func roleComment(database string) string { return "pgtenant role of database " + database }

// ours returns an error for a role that was not made for the database.
func (st roleState) madeFor(name, database string) error {
	switch {
	case !st.exists || st.comment == roleComment(database):
		return nil
	case st.comment != "":
		return fmt.Errorf("role %q exists and was not made for database %q: %w", name, database, ErrTaken)
	}
	// It may be another program's, whose rights the owner would change and whose password Setup would.
	return fmt.Errorf(
		"role %q exists and does not say that it was made for database %q (if it was, run: comment on role %s is %s): %w",
		name,
		database,
		quoteForMessage(name),
		postgres.QuoteLiteral(roleComment(database)),
		ErrTaken,
	)
}

// wishRole creates a role with the given attributes, or finds that it was made for this database.
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

// wishMember lets member take role by SET ROLE, and nothing more.
func memberChange(role, member string, st roleState, version int) (change, error) {
	quoted, err := schemactx.QuoteName(role)
	if err != nil {
		return change{}, err
	}
	to, err := schemactx.QuoteName(member)
	sql := "grant " + quoted + " to " + to
	if version >= 16 {
		sql += " with inherit false, set true" // before 16, NOINHERIT of the member says so
	}
	return change{sql: []string{sql}, done: st.member}, err
}

// wishPassword sets a login's password. The server does not tell what it was, so that it is set
// each time.
func passwordChange(role, verifier string) (change, error) {
	quoted, err := schemactx.QuoteName(role)
	return change{
		what: "alter role " + quoted + " password",
		sql:  []string{"alter role " + quoted + " password " + postgres.QuoteLiteral(verifier)},
	}, err
}
