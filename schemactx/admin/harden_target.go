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

// hardenTarget is an object with a right that PUBLIC must not have.
type hardenTarget struct {
	kind      string // function or language
	name      string // quoted
	privilege string
	keepers   []string // names of roles
}

// hardenedFunctions are taken from PUBLIC. Their names are those of regprocedure, qualified.
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
	// sql is a trusted language as well, but has no DO, and CREATE FUNCTION is closed by the
	// tenant's lack of a schema to create in.
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

// impossible is why an action cannot be done. As an error it takes back what was done for it.
type impossible string

func (i impossible) Error() string { return string(i) }

// harden brings the target's rights in order, or leaves them as they were.
func (t hardenTarget) harden(ctx context.Context, tx pgx.Tx) (HardenAction, error) {
	action := HardenAction{Privilege: t.privilege, Object: t.kind + " " + t.name, Keepers: t.keepers}
	before, err := t.rights(ctx, tx)
	if err != nil {
		return action, err
	}
	if len(before.grantors) == 0 && len(before.missing) == 0 {
		action.Outcome = HardenAlready
		return action, nil
	}
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return t.change(ctx, tx) })
	var why impossible
	switch {
	case errors.As(err, &why):
		action.Outcome, action.Reason = HardenImpossible, string(why)
	case sqlstate.Is(err, sqlstate.InsufficientRights):
		action.Outcome, action.Reason = HardenImpossible, "the server refuses it to this role: "+err.Error()
	case err != nil:
		return action, fmt.Errorf("%s: %w", action.Object, err)
	}
	return action, nil
}

// change gives the right to its keepers first: set_config without the runtime login among
// them would be the end of every scope.
func (t hardenTarget) change(ctx context.Context, tx pgx.Tx) error {
	keepers, err := quoteAll(t.keepers)
	if err != nil {
		return err
	}
	on := t.privilege + " on " + t.kind + " " + t.name
	if err := execAll(ctx, tx, "grant "+on+" to "+keepers, "revoke "+on+" from public"); err != nil {
		return err
	}
	// To who may not grant or revoke here, the server says so in a warning only.
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

// rights is who has a right on an object.
type rights struct {
	owner    string   // of the object
	grantors []string // who gave the right to PUBLIC; none: PUBLIC does not have it
	missing  []string // of the keepers, those that do not have it of their own
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
