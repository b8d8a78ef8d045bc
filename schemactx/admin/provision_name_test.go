package admin_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// The default search path begins with "$user", so a session without a path of its own would use a
// schema with the name of its role.
func TestASchemaIsNotGivenTheNameOfARole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before := f.roleCount(t)
	for _, name := range []string{
		f.roles.Owner(), f.roles.Runtime(), f.roles.Public(), f.roles.Tenant("tenant_a"),
		f.roles.Tenant("a_name_that_is_so_long_that_its_role_has_a_hash_in_its_place"),
	} {
		var nameErr *schemactx.NameError
		_, err := admin.Provision(t.Context(), f.owner, f.roles, name)
		require.ErrorAs(t, err, &nameErr)
		_, err = admin.ProvisionLogin(t.Context(), f.owner, f.roles, name, "secret")
		require.ErrorAs(t, err, &nameErr)
		_, err = admin.Rename(t.Context(), f.owner, f.roles, "tenant_a", name)
		require.ErrorAs(t, err, &nameErr)
	}
	require.Equal(t, before, f.roleCount(t))
	_, err := admin.Provision(t.Context(), f.owner, f.roles, f.roles.Owner()+"s")
	require.NoError(t, err)
}

// roleCount returns the number of schemas and roles.
func (f *fixture) roleCount(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t,
		f.pg.Pool.QueryRow(t.Context(), `select (select count(*) from pg_namespace where nspname !~ '^pg_')
		+ (select count(*) from pg_roles where starts_with(rolname, $1))`, f.roles.Prefix()).Scan(&n))
	return n
}
