package admin_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// A tenant that writes its own SQL can take the lock and keep it.
func TestSetupHardenAndDeprovisionDoNotWaitForATenantsLock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	squatter, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Runtime(), runtimePassword))
	require.NoError(t, err)
	t.Cleanup(func() { _ = squatter.Close(t.Context()) })
	_, err = squatter.Exec(t.Context(), "select pg_advisory_lock($1)", int64(0x706774656e616e74))
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{Roles: f.roles})
	require.NoError(t, err)
	_, err = admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	_, err = admin.Provision(t.Context(), f.owner, f.roles, "squatted")
	require.NoError(t, err)
	_, err = admin.Deprovision(t.Context(), f.owner, f.roles, "squatted", admin.DeprovisionOptions{})
	require.NoError(t, err)
}
