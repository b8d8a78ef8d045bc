package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// setupRoles creates the roles that all tenants share, corrects the attributes of those that exist,
// and makes the runtime login a member of the public role.
func setupRoles(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, database string) ([]Action, error) {
	var changes []refusableChange
	var public roleState
	for _, m := range []struct{ name, attributes, more string }{
		{roles.Public(), "nologin", unprivileged},
		{roles.Runtime(), "login noinherit", unprivileged},
		{roles.Owner(), "login noinherit createrole", "nosuperuser"},
	} {
		st, err := readRole(ctx, tx, m.name, roles.Runtime())
		if err != nil {
			return nil, err
		}
		if m.name == roles.Public() {
			public = st
		}
		makeRole, err := roleChange(m.name, m.attributes, database, st)
		if err != nil {
			return nil, err
		}
		changes = append(changes, refusableChange{makeRole, requirement{what: "CREATEROLE", holders: creatorsOfRoles}})
		if !st.exists {
			continue
		}
		alter, err := alterRole(ctx, tx, m.name, strings.Fields(m.attributes+" "+m.more))
		if err != nil {
			return nil, err
		}
		changes = append(changes, alter...)
	}
	join, err := memberChange(roles.Public(), roles.Runtime(), public, version(tx))
	if err != nil {
		return nil, err
	}
	return attempt(ctx, tx, append(changes, refusableChange{join, adminOption(roles.Public(), version(tx))}))
}

// unprivileged are the attributes of every role that runs statements of tenants. They are the
// defaults of CREATE ROLE.
const unprivileged = "nosuperuser nocreaterole nocreatedb noreplication nobypassrls"

// attributesSQL returns the attributes of a role in the words of CREATE ROLE, and whether it is a
// superuser.
const attributesSQL = `select concat_ws(' ',
		case when rolcanlogin then 'login' else 'nologin' end, case when rolinherit then 'inherit' else 'noinherit' end,
		case when rolsuper then 'superuser' else 'nosuperuser' end, case when rolcreaterole then 'createrole'
			else 'nocreaterole' end,
		case when rolcreatedb then 'createdb' else 'nocreatedb' end, case when rolreplication then 'replication'
			else 'noreplication' end,
		case when rolbypassrls then 'bypassrls' else 'nobypassrls' end), rolsuper
	from pg_roles where rolname = $1`

// alterRole returns the changes that give an existing role the attributes of want that it lacks.
// Each attribute is a change of its own, because a login may be allowed to change only some of
// them.
func alterRole(ctx context.Context, tx pgx.Tx, name string, want []string) (changes []refusableChange, err error) {
	var has string
	var super bool
	if err := tx.QueryRow(ctx, attributesSQL, name).Scan(&has, &super); err != nil {
		return nil, err
	}
	quoted, err := schemactx.QuoteName(name)
	if err != nil {
		return nil, err
	}
	there := strings.Fields(has)
	for _, attribute := range want {
		if slices.Contains(there, attribute) {
			continue
		}
		needs := rightToAlter(name, version(tx))
		if super || attribute == "noreplication" || attribute == "nobypassrls" {
			needs = requirement{what: "SUPERUSER", holders: noRole}
		}
		changes = append(changes, refusableChange{change{sql: []string{"alter role " + quoted + " " + attribute}}, needs})
	}
	return changes, nil
}
