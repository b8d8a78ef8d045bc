package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"

	"github.com/oryne/pgtenant/schemactx"
)

// hardenTarget is an object with a privilege that PUBLIC must not have.
type hardenTarget struct {
	kind      string // function or language
	name      string // quoted
	privilege string
	keepers   []string // the names of the roles that get the privilege
}

// hardenedFunctions are the functions on which [Harden] revokes EXECUTE from PUBLIC. A name is the
// qualified text of a regprocedure.
var hardenedFunctions = []struct {
	name    string
	runtime bool // the runtime login calls it
}{
	{name: setConfig, runtime: true},
	{name: "pg_catalog.lo_creat(integer)"},
	{name: "pg_catalog.lo_create(oid)"},
	{name: "pg_catalog.lo_from_bytea(oid, bytea)"},
}

const setConfig = "pg_catalog.set_config(text, text, boolean)"

func hardenTargets(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames) ([]hardenTarget, error) {
	var targets []hardenTarget
	for _, f := range hardenedFunctions {
		t := hardenTarget{kind: "function", name: f.name, privilege: "EXECUTE", keepers: []string{roles.Owner()}}
		if f.runtime {
			t.keepers = append(t.keepers, roles.Runtime())
		}
		targets = append(targets, t)
	}
	// The language sql is trusted too, but has no DO blocks. A tenant cannot use it in CREATE
	// FUNCTION, because it has no schema to create in.
	rows, err := tx.Query(ctx, `select pg_catalog.quote_ident(lanname::text) from pg_catalog.pg_language
		where lanpltrusted and laninline <> 0::oid order by lanname`)
	if err != nil {
		return nil, err
	}
	languages, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range languages {
		targets = append(
			targets,
			hardenTarget{kind: "language", name: name, privilege: "USAGE", keepers: []string{roles.Owner()}},
		)
	}
	return targets, err
}

// impossible is the reason why an action cannot be done. Returned as an error it rolls back the
// savepoint of the action.
type impossible string

func (i impossible) Error() string { return string(i) }

// harden changes the privileges of the target, or leaves them as they were if that is not possible.
func (t hardenTarget) harden(ctx context.Context, tx pgx.Tx) (Action, error) {
	action := Action{What: "revoke " + t.object() + " from public"}
	before, err := t.rights(ctx, tx)
	if err != nil {
		return action, err
	}
	if len(before.grantors) == 0 && len(before.missing) == 0 {
		action.Outcome = ActionAlready
		return action, nil
	}
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return t.change(ctx, tx) })
	var why impossible
	switch {
	case errors.As(err, &why):
		action.Outcome, action.Err = ActionImpossible, why
	case sqlstate.Is(err, sqlstate.InsufficientRights):
		action.Outcome, action.Err = ActionImpossible, fmt.Errorf("the server refuses it to this role: %w", err)
	case err != nil:
		return action, fmt.Errorf("%s: %w", action.What, err)
	}
	return action, nil
}

// change grants the privilege to the keepers before it revokes it from PUBLIC. If the runtime login
// lost set_config, no scope could begin.
func (t hardenTarget) change(ctx context.Context, tx pgx.Tx) error {
	keepers, err := quoteAll(t.keepers)
	if err != nil {
		return err
	}
	if err := execAll(ctx, tx, "grant "+t.object()+" to "+keepers, "revoke "+t.object()+" from public"); err != nil {
		return err
	}
	// If the role may not grant or revoke here, the server only warns.
	after, err := t.rights(ctx, tx)
	switch {
	case err != nil:
		return err
	case len(after.missing) > 0:
		return impossible(
			fmt.Sprintf("%s cannot be granted to %s: %s owns it", t.privilege, strings.Join(after.missing, ", "), after.owner),
		)
	case len(after.grantors) > 0:
		return impossible(
			fmt.Sprintf("PUBLIC keeps %s: %s granted it and can revoke it", t.privilege, strings.Join(after.grantors, ", ")),
		)
	}
	return nil
}

// object returns the privilege and the object as GRANT names them.
func (t hardenTarget) object() string { return t.privilege + " on " + t.kind + " " + t.name }

// rights says which roles have a privilege on an object.
type rights struct {
	owner    string   // of the object
	grantors []string // the roles that granted the privilege to PUBLIC; none: PUBLIC does not have it
	missing  []string // the keepers that do not have the privilege themselves
}

func (t hardenTarget) rights(ctx context.Context, tx pgx.Tx) (rights, error) {
	object := `select proowner as owner, coalesce(proacl, acldefault('f', proowner)) as acl
		from pg_catalog.pg_proc where oid = $1::regprocedure::oid`
	if t.kind == "language" {
		object = `select lanowner as owner, coalesce(lanacl, acldefault('l', lanowner)) as acl
			from pg_catalog.pg_language where quote_ident(lanname::text) = $1`
	}
	var r rights
	err := tx.QueryRow(ctx, `with object as (`+object+`),
		granted as (select grantor, grantee from object, aclexplode(acl) where privilege_type = $2)
		select pg_get_userbyid(owner)::text,
			array(select pg_get_userbyid(grantor)::text from granted where grantee = 0::oid),
			array(select k from unnest($3::text[]) as k
				where not exists (select from granted join pg_catalog.pg_roles r on r.oid = grantee where rolname = k::name))
		from object`, t.name, t.privilege, t.keepers).Scan(&r.owner, &r.grantors, &r.missing)
	return r, err
}

// quoteAll quotes names and joins them with commas.
func quoteAll(names []string) (string, error) {
	quoted := make([]string, len(names))
	for i, name := range names {
		var err error
		if quoted[i], err = schemactx.QuoteName(name); err != nil {
			return "", err
		}
	}
	return strings.Join(quoted, ", "), nil
}
