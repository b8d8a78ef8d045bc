package admin

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/postgres"

	"github.com/oryne/pgtenant/schemactx"
)

// right is a privilege on the database or on a schema that a role must have or PUBLIC must not
// have.
type right struct {
	privilege string
	schema    string // "": the database
	role      string // "": PUBLIC
	revoke    bool   // PUBLIC must not have it
	grantable bool   // the role must have it WITH GRANT OPTION
}

// setupRights grants and revokes the privileges that every database needs.
func setupRights(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, database string) ([]Action, error) {
	return applyRights(ctx, tx, database, []right{
		{privilege: "TEMPORARY", revoke: true},
		{privilege: "CREATE", schema: schemactx.Public, revoke: true},
		{privilege: "CREATE", role: roles.Owner()},
		{privilege: "TEMPORARY", role: roles.Owner()},
		{privilege: "CONNECT", role: roles.Owner(), grantable: true}, // so that it can grant CONNECT to the logins of tenants
		{privilege: "CONNECT", role: roles.Runtime()},
		{privilege: "USAGE", schema: schemactx.Public, role: roles.Owner()},
		{privilege: "CREATE", schema: schemactx.Public, role: roles.Owner()},
		{privilege: "USAGE", schema: schemactx.Public, role: roles.Public()},
	})
}

// applyRights grants and revokes the rights that are not in order. It reads them back, because the
// server only warns if the login may not grant or revoke. A right that is still not in order is an
// action with the outcome [ActionImpossible].
func applyRights(ctx context.Context, tx pgx.Tx, database string, rights []right) ([]Action, error) {
	changes := make([]refusableChange, len(rights))
	before, err := rightsHeld(ctx, tx, rights)
	if err != nil {
		return nil, err
	}
	for i, r := range rights {
		sql, err := r.sql(database)
		if err != nil {
			return nil, err
		}
		statements, err := asOwner(ctx, tx, r.schema, sql)
		if err != nil {
			return nil, err
		}
		changes[i] = refusableChange{change{what: sql, sql: statements, done: before[i]}, r.missing(database)}
	}
	actions, err := attempt(ctx, tx, changes)
	if err != nil || !changed(actions) {
		return actions, err
	}
	after, err := rightsHeld(ctx, tx, rights)
	if err != nil {
		return nil, err
	}
	for i := range actions {
		if after[i] || actions[i].Outcome == ActionImpossible {
			continue
		}
		why, err := changes[i].refused(ctx, tx, nil)
		if err != nil {
			return nil, err
		}
		actions[i].Outcome, actions[i].Err = ActionImpossible, why
	}
	return actions, nil
}

// asOwner returns the statements that run sql with the privileges of the owner of the schema, or of
// the database if schema is "". It returns sql alone if the login has these privileges without SET
// ROLE. A NOINHERIT login that is a member of the owner has them only after SET ROLE. Before
// PostgreSQL 16 this is also true of the owner of the database and the schema public, which belongs
// to pg_database_owner.
func asOwner(ctx context.Context, tx pgx.Tx, schema, sql string) ([]string, error) {
	var owner, role string
	err := tx.QueryRow(ctx, `select coalesce((select rolname::text from pg_roles r where r.oid = case when $1 = ''
				then (select datdba from pg_database where datname = current_database())
				else (select nspowner from pg_namespace where nspname = $1) end
			and pg_has_role(current_user, r.oid, 'member') and not pg_has_role(current_user, r.oid, 'usage')), ''),
				current_setting('role')`,
		schema).Scan(&owner, &role)
	if err != nil || owner == "" {
		return []string{sql}, err
	}
	return []string{setLocalRole(owner), sql, setLocalRole(role)}, nil
}

// setLocalRole returns the statement that sets the role for the rest of the transaction.
func setLocalRole(role string) string {
	return "select set_config('role', " + postgres.QuoteLiteral(role) + ", true)"
}

// missing returns what a login needs to grant or revoke the right.
func (r right) missing(database string) requirement {
	if r.schema != "" {
		return ownershipOfSchema(r.schema)
	}
	return ownership(database)
}

// sql returns the statement that grants or revokes the right.
func (r right) sql(database string) (string, error) {
	on := " on database " + pgx.Identifier{database}.Sanitize() // ValidateName may refuse the name of a database
	switch r.schema {
	case "":
	case schemactx.Public:
		on = " on schema " + schemactx.Public
	default:
		quoted, err := schemactx.QuoteName(r.schema)
		if err != nil {
			return "", err
		}
		on = " on schema " + quoted
	}
	switch {
	case r.revoke:
		return "revoke " + r.privilege + on + " from public", nil
	case r.role == "":
		return "grant " + r.privilege + on + " to public", nil
	}
	quoted, err := schemactx.QuoteName(r.role)
	sql := "grant " + r.privilege + on + " to " + quoted
	if r.grantable {
		sql += " with grant option"
	}
	return sql, err
}

// rightsHeld returns for each right whether it is in order: its role has it by a grant to itself,
// or, if revoke is set, PUBLIC does not have it.
func rightsHeld(ctx context.Context, tx pgx.Tx, rights []right) (ok []bool, err error) {
	schemas, privileges, roles := make([]string, len(rights)), make([]string, len(rights)), make([]string, len(rights))
	grantable, revoke := make([]bool, len(rights)), make([]bool, len(rights))
	for i, r := range rights {
		schemas[i], privileges[i], roles[i], grantable[i], revoke[i] = r.schema, r.privilege, r.role, r.grantable, r.revoke
	}
	err = tx.QueryRow(ctx, `with acl as (
			select '' as schema, a.* from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as a
				where datname = current_database()
			union all
			select nspname, a.* from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) as a
				where nspname = any ($1)
		),
		granted as (
			select schema, privilege_type, coalesce(rolname::text, '') as role, is_grantable from acl left join pg_roles r
				on r.oid = grantee
		)
		select array(
			select revoke <> exists (select from granted g
				where g.schema = w.schema and privilege_type = privilege and g.role = w.role and is_grantable >= grantable)
			from unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::bool[]) with ordinality
				as w (schema, privilege, role, grantable, revoke, n)
			order by n)`,
		schemas, privileges, roles, grantable, revoke).Scan(&ok)
	return ok, err
}

// readRole reads the state of a role, without [roleState].joined.
func readRole(ctx context.Context, tx pgx.Tx, name, runtime string) (st roleState, err error) {
	err = tx.QueryRow(ctx, `select r.oid is not null, coalesce(shobj_description(r.oid, 'pg_authid'), ''), `+memberSQL+`
		from (select $1::name as rolname) as want left join pg_roles r using (rolname)`, name, runtime).
		Scan(&st.exists, &st.comment, &st.member)
	return st, err
}
