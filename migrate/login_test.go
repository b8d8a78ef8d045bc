package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// TestASuperuserMigratesNoSchemaOfTheOwner checks that a superuser cannot create anything in a
// schema of the owner role, in any way, because the owner role could not migrate it later. The
// error names the owner role.
func TestASuperuserMigratesNoSchemaOfTheOwner(t *testing.T) {
	t.Parallel()
	f, owner, roles := provisioned(t)
	shared := []migrate.Source{source("shared", map[string]string{"00001_s.sql": "create table s ();"})}
	alone := map[string]string{"00001_a.sql": "-- +goose NO TRANSACTION\ncreate table a ();"}
	before := f.Inventory(t)
	for _, lock := range []migrate.Lock{migrate.LockAdvisory, migrate.LockTable} {
		for _, files := range []map[string]string{basic, alone} {
			if lock == migrate.LockTable && files["00002_body.sql"] == "" {
				continue // it needs a session
			}
			cfg := migrate.Config{Shared: shared, Tenant: []migrate.Source{source("app", files)}, Roles: roles, Lock: lock}
			r := f.runnerWith(t, cfg)
			expectOwner(t, r.Migrate(t.Context(), "public"), roles)
			expectOwner(t, r.Migrate(t.Context(), "tenant_1"), roles)
			expectOwner(t, r.MigrateNew(t.Context(), "tenant_1"), roles)
			_, err := r.UpAll(t.Context(), migrate.Schemas("tenant_1"), migrate.UpAllOptions{}) // public comes first
			expectOwner(t, err, roles)
			cfg.Shared = nil
			report, err := f.runnerWith(t, cfg).
				UpAll(t.Context(), migrate.Schemas("tenant_1", "tenant_2", "tenant_3"), migrate.UpAllOptions{PerTransaction: 2})
			assert.ErrorIs(t, err, migrate.ErrIncomplete)
			for _, res := range report.Results {
				expectOwner(t, res.Err, roles)
			}
			assert.Len(t, report.Results, 3, "report %v", outcomes(report))
			cfg.Roles = schemactx.RoleNames{} // for other role names, the owner of the schema is found
			expectOwner(t, f.runnerWith(t, cfg).Migrate(t.Context(), "tenant_1"), roles)
		}
	}
	after := f.Inventory(t)
	assert.Equal(t, before, after, "made:\n%s", after)
	r, err := migrate.New(
		owner,
		migrate.Config{Shared: shared, Tenant: []migrate.Source{source("app", basic)}, Roles: roles},
	)
	require.NoError(t, err)
	require.NoError(t, r.Migrate(t.Context(), "public"))
	_, err = r.UpAll(t.Context(), migrate.Schemas("tenant_1", "tenant_2", "tenant_3"), migrate.UpAllOptions{})
	require.NoError(t, err)
}

func expectOwner(t *testing.T, err error, roles schemactx.RoleNames) {
	t.Helper()
	var wrong *schemactx.LoginError
	if assert.ErrorAs(t, err, &wrong, "the error") &&
		assert.Equal(t, schemactx.LoginSuperuser, wrong.Kind, "the error") {
		assert.Equal(t, wrong.Want, roles.Owner(), "the error")
	}
}
