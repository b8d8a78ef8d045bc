package admin_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// asTenant logs in as the role of tenant_a.
func (f *fixture) asTenant(t *testing.T, password string) (*pgx.Conn, error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Tenant("tenant_a"), password))
	if err == nil {
		t.Cleanup(func() { require.NoError(t, conn.Close(t.Context())) })
	}
	return conn, err
}

func TestProvisionLoginLetsTheTenantsRoleLogIn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, "revoke connect on database "+f.pg.Name+" from public")
	_, err := f.asTenant(t, "first password")
	expectState(t, err, "28P01")

	f.provisionLogin(t, "tenant_a", "first password")
	conn, err := f.asTenant(t, "first password")
	require.NoError(t, err)
	var body string
	require.NoError(t, conn.QueryRow(t.Context(), "select body from tenant_a.notes").Scan(&body))
	_, err = conn.Exec(t.Context(), "select body from tenant_b.notes")
	expectState(t, err, "42501")
	_, err = conn.Exec(t.Context(), "set role "+f.roles.Tenant("tenant_b"))
	expectState(t, err, "42501")
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a") // the runtime login can still take the role

	f.provision(t, "tenant_a")
	_, err = f.asTenant(t, "first password")
	require.NoError(t, err) // Provision keeps LOGIN and the password

	f.provisionLogin(t, "tenant_a", "second password")
	_, err = f.asTenant(t, "second password")
	require.NoError(t, err)
	_, err = f.asTenant(t, "first password")
	expectState(t, err, "28P01")
}

func TestProvisionLoginCreatesWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.provisionLogin(t, "tenant_c", "password")
	var login, inherit, verifier bool
	require.NoError(t,
		f.pg.Pool.QueryRow(t.Context(), `select rolcanlogin, rolinherit, rolpassword like 'SCRAM-SHA-256$%'
		from pg_authid where rolname = $1`, f.roles.Tenant("tenant_c")).Scan(&login, &inherit, &verifier))
	assert.True(t, login && !inherit && verifier, "login %t, inherit %t, SCRAM %t", login, inherit, verifier)
	f.exec(t, "create table tenant_c.notes as table tenant_a.notes")
	expectNote(t, in(t, "tenant_c"), f.db, "tenant_a") // ProvisionLogin sets default privileges as Provision does
}

func TestProvisionLoginRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, password := range []string{"", "pässword"} {
		_, err := admin.ProvisionLogin(t.Context(), f.owner, f.roles, "tenant_c", password)
		assert.Error(t, err, "password %q was taken", password)
	}
	_, err := admin.ProvisionLogin(t.Context(), f.owner, f.roles, "public", "password")
	assert.Error(t, err, "public was provisioned")
	run(
		t,
		f,
		"revoke connect on database "+f.pg.Name+" from public; "+
			"revoke grant option for connect on database "+f.pg.Name+" from "+f.roles.Owner(),
	)
	_, err = admin.ProvisionLogin(t.Context(), f.owner, f.roles, "tenant_c", "password")
	assert.Error(t, err, "a login that cannot connect was provisioned")
	var exists bool
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select to_regnamespace('tenant_c') is not null").Scan(&exists))
	assert.False(t, exists, "a refused provision has left something behind")
}

// A tenant can call the functions of its schema by EXECUTE of PUBLIC. Other tenants lack USAGE on
// the schema. A function that the owner keeps to itself stays closed after another Provision.
func TestFunctionsOfASchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create function tenant_a.theirs() returns text language sql as $$select 'tenant_a'$$")
	f.exec(t, "create function tenant_a.kept() returns int language sql as 'select 1'")
	f.exec(t, "revoke execute on function tenant_a.kept from public")
	f.provision(t, "tenant_a")
	ctx := in(t, "tenant_a")
	_, err := f.db.Exec(ctx, "select theirs()")
	require.NoError(t, err)
	_, err = f.db.Exec(ctx, "select kept()")
	expectState(t, err, "42501")
	_, err = f.db.Exec(in(t, "tenant_b"), "select tenant_a.theirs()")
	expectState(t, err, "42501")
}
