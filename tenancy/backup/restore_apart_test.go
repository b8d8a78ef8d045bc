package backup_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// apart migrates the registry where it is.
type apart struct{ registry, schemas *migrate.Runner }

func (a apart) Migrate(ctx context.Context, schema string) error {
	if schema == schemactx.Public {
		return a.registry.Migrate(ctx, schema)
	}
	return a.schemas.Migrate(ctx, schema)
}

func ownerOf(t *testing.T, pg *pgtest.DB) (*pgxpool.Pool, schemactx.RoleNames) {
	t.Helper()
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	check(t, err)
	_, err = admin.Setup(t.Context(), pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	check(t, err)
	pool, err := pgxpool.New(context.Background(), pg.URLAs(roles.Owner(), "o"))
	check(t, err)
	t.Cleanup(pool.Close)
	return pool, roles
}

// Nothing of a restore assumes that the registry and the tenants' schemas share a database.
func TestARestoreWithTheRegistryInAnotherDatabase(t *testing.T) {
	t.Parallel()
	central, centralRoles := ownerOf(t, pgtest.New(t))
	f := &fixture{pg: pgtest.New(t)}
	f.owner, f.roles = ownerOf(t, f.pg)
	shared, err := migrate.New(central, migrate.Config{Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}})
	check(t, err)
	f.runner, err = migrate.New(f.owner, migrate.Config{Tenant: []migrate.Source{notes}})
	check(t, err)
	f.tenants, err = tenancy.New(central, tenancy.Config{
		Migrator: apart{shared, f.runner}, Schemas: f.owner, Roles: f.roles, RegistryRoles: centralRoles, Drop: tenancy.DropConfig{Enabled: true},
	})
	check(t, err)
	check(t, f.tenants.Init(t.Context()))
	f.dir, err = backup.OpenDir(t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, f.dir.Close()) })

	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	want := f.content(t, "north")
	f.exec(t, tenant.Schema, "delete from tags")
	replaced, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	check(t, err)
	f.expectContent(t, "north", want)
	_, err = s.RevertRestore(t.Context(), "north", replaced.Retained)
	check(t, err)
	_, err = f.confirmed(t, s, "north", replaced.Tenant.Schema)
	check(t, err)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	check(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "copy", Domain: "copy.example.com"})
	check(t, err)
	f.drop(t, "north")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	check(t, err)
	f.expectContent(t, "north", want)
	f.expectNoSides(t)
	var schemas int
	check(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')").Scan(&schemas))
	if schemas != 2 {
		t.Errorf("%d schemas, want those of two tenants", schemas)
	}
}
