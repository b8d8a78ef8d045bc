package modeltest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// level is a level of isolation, as in package attacktest.
type level struct {
	name     string
	level    schemactx.Level
	hardened bool
}

var levels = []level{
	{name: "PathOnly", level: schemactx.PathOnly},
	{name: "Roles", level: schemactx.Roles},
	{name: "Roles, hardened", level: schemactx.Roles, hardened: true},
	{name: "Logins", level: schemactx.Logins},
}

// The schemas. The tenants differ in where the code is that their statements call through objects.
const (
	rich   = "rich"   // has functions of its own
	remote = "remote" // has views, policies and similar objects that call functions of the schema lib
	plain  = "plain"  // has only tables
	absent = "absent" // does not exist
	hollow = "hollow" // has a role but no schema
	bare   = "bare"   // has a schema but no role
	public = schemactx.Public
)

// served are the schemas in which statements can run. The state that their statements leave behind
// contains the schema's number.
var served = []string{rich, remote, plain, public}

func number(schema string) int {
	for i, s := range served {
		if s == schema {
			return i + 1
		}
	}
	panic("no number for " + schema)
}

const password = "the password"

// world is a database at one level. The runs of a test share it, so they number their rows
// differently.
type world struct {
	level level
	pg    *pgtest.DB
	roles schemactx.RoleNames
	owner *pgxpool.Pool
	ids   int64 // the last ID that was used
}

func newWorld(t *testing.T, l level) *world {
	w := &world{level: l, pg: pgtest.New(t)}
	ctx := t.Context()
	roles, err := schemactx.NewRoleNames(w.pg.RolePrefix)
	require.NoError(t, err)
	report, err := admin.Setup(ctx, w.pg.Pool, admin.SetupConfig{
		Roles: roles, OwnerPassword: password, RuntimePassword: password,
	})
	require.NoError(t, err)
	w.roles = report.Roles
	w.owner, err = pgxpool.New(ctx, w.pg.URLAs(roles.Owner(), password))
	require.NoError(t, err)
	t.Cleanup(w.owner.Close)
	for _, schema := range []string{rich, remote, plain, hollow} {
		_, err := admin.ProvisionLogin(ctx, w.owner, roles, schema, password)
		require.NoError(t, err)
	}
	w.exec(t, "drop schema hollow; create schema bare; create table bare.ledger (id bigint)")
	w.exec(t, "create schema lib; grant usage on schema lib to "+w.everybody())
	w.exec(t, w.library("lib"))
	for _, schema := range served {
		w.exec(t, tables(schema))
	}
	w.exec(t, "grant select, insert on all tables in schema public to "+roles.Public())
	w.exec(t, w.library(rich)+hidden(rich, rich)+notations(rich))
	w.exec(t, hidden(remote, "lib")+hidden("lib", "lib"))
	w.exec(t, "grant select, insert on all tables in schema lib to "+w.everybody()+
		"; grant usage on all sequences in schema lib to "+w.everybody())
	switch {
	case l.level == schemactx.PathOnly:
		_, err = w.pg.Pool.Exec(ctx, fmt.Sprintf("create role %[1]s_path login password '%[2]s'; grant %[1]s_owner, "+
			"%[3]s to %[1]s_path",
			roles.Prefix(), password, w.everybody()))
	case l.hardened:
		_, err = admin.Harden(ctx, w.pg.Pool, roles)
	}
	require.NoError(t, err)
	return w
}

// exec runs a script as the owner.
func (w *world) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := w.owner.Exec(t.Context(), sql)
	require.NoError(t, err, sql)
}

// everybody returns the roles of all scopes.
func (w *world) everybody() string {
	var roles []string
	for _, schema := range served {
		roles = append(roles, w.roleOf(schema))
	}
	return strings.Join(roles, ", ")
}

func (w *world) roleOf(schema string) string {
	if schema == public {
		return w.roles.Public()
	}
	return w.roles.Tenant(schema)
}

// login returns the login of the pool.
func (w *world) login() string {
	if w.level.level == schemactx.PathOnly {
		return w.roles.Prefix() + "_path"
	}
	return w.roles.Runtime()
}

// runsAs returns the role that runs the statements of a schema.
func (w *world) runsAs(schema string) string {
	if w.level.level == schemactx.PathOnly {
		return w.login()
	}
	return w.roleOf(schema)
}

// refusals returns the errors with which the scope of a schema may be refused, or nil if the schema
// is served.
func (w *world) refusals(schema string) []error {
	missing, unprovisioned := schemactx.ErrSchemaMissing, schemactx.ErrNotProvisioned
	switch logins := w.level.level == schemactx.Logins; {
	case schema == hollow, schema == absent && w.level.level == schemactx.PathOnly:
		return []error{missing}
	case schema == absent && !logins:
		return []error{missing, unprovisioned}
	case schema == absent, schema == bare && w.level.level != schemactx.PathOnly:
		return []error{unprovisioned}
	}
	return nil
}
