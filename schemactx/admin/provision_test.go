package admin_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestSetupAndProvisionCanRunAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "revoke all on all tables in schema tenant_a from "+f.roles.Tenant("tenant_a"))
	_, _, err := note(in(t, "tenant_a"), f.db)
	expectState(t, err, "42501")

	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{Roles: f.roles})
	require.NoError(t, err)
	f.provision(t, "tenant_a")
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a") // the passwords are unchanged
}

func TestProvisionRefusesForeignSchemasAndRoles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	superuser := f.pg.Pool
	_, err := superuser.Exec(t.Context(), "create schema theirs; create role "+f.roles.Tenant("tenant_c"))
	require.NoError(t, err)
	for _, schema := range []string{"theirs", "tenant_c"} {
		_, err := admin.Provision(t.Context(), f.owner, f.roles, schema)
		assert.ErrorIs(t, err, admin.ErrTaken)
	}
	var made bool
	require.NoError(t,
		superuser.QueryRow(t.Context(), "select to_regnamespace('tenant_c') is not null or to_regrole($1) is not null",
			f.roles.Tenant("theirs")).Scan(&made))
	assert.False(t, made, "a refused provision has left something behind")
	_, err = admin.Provision(t.Context(), f.owner, f.roles, "public")
	assert.Error(t, err, "public was provisioned")
}

// Role names belong to the server. A second database with the same prefix must not get the roles of
// the first.
func TestSetupRefusesRolesOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other := pgtest.New(t)
	_, err := admin.Setup(t.Context(), other.Pool, admin.SetupConfig{Roles: f.roles})
	assert.ErrorIs(t, err, admin.ErrTaken)
}

func TestTenantRoleOwnsNothingAndCannotCreate(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.roles.Tenant("tenant_a")
	var create, temp, owns, login bool
	require.NoError(
		t,
		f.pg.Pool.QueryRow(t.Context(), `select has_schema_privilege($1, 'tenant_a', 'create') or has_schema_privilege($1,
			'public', 'create'),
		has_database_privilege($1, current_database(), 'temp'),
		exists (select from pg_class where relowner = $1::regrole),
		rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication from pg_roles
			where rolname = $1`,
			role).
			Scan(&create, &temp, &owns, &login),
	)
	assert.True(t, !create && !temp && !owns && !login,
		"create %t, temp %t, owns %t, attributes %t; want none", create, temp, owns, login)
}

func TestSetupRefusesAPasswordItCannotHash(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{Roles: f.roles, RuntimePassword: "pässword"})
	assert.Error(t, err, "no error")
	expectNote(t, in(t, "tenant_a"), f.open(t, schemactx.Config{}, 1), "tenant_a") // the old password still works
}

// A DB and its transactions run in the scope of a tenant, and some functions of package admin are
// several transactions.
func TestBeginnerIsAPoolOrAConnection(t *testing.T) {
	t.Parallel()
	var beginner *admin.Beginner
	assert.NotImplements(t, beginner, (*schemactx.DB)(nil))
	assert.NotImplements(t, beginner, struct{ pgx.Tx }{})
	assert.Implements(t, beginner, (*pgxpool.Pool)(nil))
	assert.Implements(t, beginner, (*pgxpool.Conn)(nil))
	assert.Implements(t, beginner, (*pgx.Conn)(nil))
}
