package backup_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// separateRunners migrates the registry in its own database.
type separateRunners struct{ registry, schemas *migrate.Runner }

func (a separateRunners) Migrate(ctx context.Context, schema string) error {
	if schema == schemactx.Public {
		return a.registry.Migrate(ctx, schema)
	}
	return a.schemas.Migrate(ctx, schema)
}

func ownerOf(t *testing.T, pg *pgtest.DB) (*pgxpool.Pool, schemactx.RoleNames) {
	t.Helper()
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	pool, err := pgxpool.New(context.Background(), pg.URLAs(roles.Owner(), "o"))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool, roles
}

// A restore does not assume that the registry and the tenants' schemas share a database.
func TestARestoreWithTheRegistryInAnotherDatabase(t *testing.T) {
	t.Parallel()
	central, centralRoles := ownerOf(t, pgtest.New(t))
	f := &fixture{pg: pgtest.New(t)}
	f.owner, f.roles = ownerOf(t, f.pg)
	shared, err := migrate.New(central, migrate.Config{Shared: []migrate.Source{{
		Name: "tenancy",
		FS:   tenancy.Migrations(),
	}}})
	require.NoError(t, err)
	f.runner, err = migrate.New(f.owner, migrate.Config{Tenant: []migrate.Source{notes}})
	require.NoError(t, err)
	f.tenants, err = tenancy.New(central, tenancy.Config{
		Migrator: separateRunners{shared, f.runner}, Schemas: f.owner, Roles: f.roles, RegistryRoles: centralRoles,
		Drop: tenancy.DropConfig{Enabled: true},
	})
	require.NoError(t, err)
	require.NoError(t, f.tenants.Init(t.Context()))
	f.dir, err = backup.OpenDir(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.dir.Close()) })

	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	want := f.content(t, "north")
	f.exec(t, tenant.Schema, "delete from tags")
	replaced, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	f.expectContent(t, "north", want)
	_, err = s.RevertRestore(t.Context(), "north", replaced.Retained)
	require.NoError(t, err)
	_, err = f.confirmed(t, s, "north", replaced.Tenant.Schema)
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "copy", Domain: "copy.example.com"})
	require.NoError(t, err)
	f.drop(t, "north")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	f.expectContent(t, "north", want)
	f.expectNoSides(t)
	var schemas int
	require.NoError(
		t,
		f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_namespace where nspname !~ '^pg_' "+
			"and nspname not in ('public', 'information_schema')").
			Scan(&schemas),
	)
	assert.Equal(t, 2, schemas, "%d schemas, want those of two tenants", schemas)
}
