package schemactx

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// right is a privilege on the database or on the schema public, which a role has to have or
// PUBLIC must not have.
type right struct {
	privilege string
	on        string // database or schema
	role      string // "": PUBLIC
	grantable bool
}

// setupRights brings those rights in order, and reads them back: to who may not grant or revoke
// here, the server says so in a warning only.
func setupRights(ctx context.Context, tx pgx.Tx, roles RoleNames, database string) ([]Action, error) {
	rights := []right{
		{"TEMPORARY", "database", "", false},
		{"CREATE", "schema", "", false},
		{"CREATE", "database", roles.Owner(), false},
		{"TEMPORARY", "database", roles.Owner(), false},
		{"CONNECT", "database", roles.Owner(), true}, // for the logins of tenants
		{"CONNECT", "database", roles.Runtime(), false},
		{"USAGE", "schema", roles.Owner(), false},
		{"CREATE", "schema", roles.Owner(), false},
		{"USAGE", "schema", roles.Public(), false},
	}
	wishes := make([]wish, len(rights))
	before, err := inOrder(ctx, tx, rights)
	if err != nil {
		return nil, err
	}
	for i, r := range rights {
		sql, err := r.sql(database)
		if err != nil {
			return nil, err
		}
		wishes[i] = wish{sql: []string{sql}, so: before[i]}
	}
	actions, err := fulfil(ctx, tx, wishes)
	if err != nil || !changed(actions) {
		return actions, err
	}
	after, err := inOrder(ctx, tx, rights)
	if err != nil {
		return nil, err
	}
	for i := range actions {
		if !after[i] {
			actions[i].Outcome = ActionImpossible
		}
	}
	return actions, nil
}

// sql is the statement that brings the right in order.
func (r right) sql(database string) (string, error) {
	on := " on schema " + Public
	if r.on == "database" {
		on = " on database " + pgx.Identifier{database}.Sanitize() // a database's name follows no rule of ours
	}
	if r.role == "" {
		return "revoke " + r.privilege + on + " from public", nil
	}
	quoted, err := QuoteName(r.role)
	sql := "grant " + r.privilege + on + " to " + quoted
	if r.grantable {
		sql += " with grant option"
	}
	return sql, err
}

// inOrder returns for each right whether its role has it of its own, or PUBLIC does not have it.
func inOrder(ctx context.Context, tx pgx.Tx, rights []right) (ok []bool, err error) {
	on, privileges, roles := make([]string, len(rights)), make([]string, len(rights)), make([]string, len(rights))
	grantable := make([]bool, len(rights))
	for i, r := range rights {
		on[i], privileges[i], roles[i], grantable[i] = r.on, r.privilege, r.role, r.grantable
	}
	err = tx.QueryRow(ctx, `with acl as (
			select 'database' as kind, a.* from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as a where datname = current_database()
			union all
			select 'schema', a.* from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) as a where nspname = 'public'
		),
		granted as (
			select kind, privilege_type, coalesce(rolname::text, '') as role, is_grantable from acl left join pg_roles r on r.oid = grantee
		)
		select array(
			select (w.role = '') <> exists (select from granted g
				where g.kind = w.kind and privilege_type = privilege and g.role = w.role and is_grantable >= grantable)
			from unnest($1::text[], $2::text[], $3::text[], $4::bool[]) with ordinality as w (kind, privilege, role, grantable, n)
			order by n)`,
		on, privileges, roles, grantable).Scan(&ok)
	return ok, err
}

// readRole reads what there is of a role.
func readRole(ctx context.Context, tx pgx.Tx, name, runtime string) (st roleState, err error) {
	err = tx.QueryRow(ctx, `select r.oid is not null, coalesce(shobj_description(r.oid, 'pg_authid'), ''), `+memberSQL+`
		from (select $1::name as rolname) as want left join pg_roles r using (rolname)`, name, runtime).
		Scan(&st.exists, &st.comment, &st.member)
	return st, err
}
