package backup_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func formatSequence(s archive.Sequence) string { return fmt.Sprint(s.Last, s.Called) }

// runtime is a pool of the login that serves requests.
func (f *fixture) runtime(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(f.roles.Runtime(), "r"))
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// admin is exec as the superuser.
func (f *fixture) admin(t testing.TB, schema, sql string) {
	t.Helper()
	conn, err := f.pg.Pool.Acquire(t.Context())
	check(t, err)
	defer conn.Release()
	_, err = conn.Conn().PgConn().Exec(t.Context(), "begin; set local search_path = "+schema+", pg_temp; "+sql+"; commit").ReadAll()
	if err != nil {
		_, _ = conn.Conn().PgConn().Exec(t.Context(), "rollback").ReadAll()
	}
	check(t, err)
}

// migrations makes the fixture that of a program with other migrations of tenants.
func (f *fixture) migrations(t testing.TB, sources ...migrate.Source) {
	t.Helper()
	var err error
	f.runner, err = migrate.New(f.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}, Tenant: sources,
	})
	check(t, err)
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{
		Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{Enabled: true},
	})
	check(t, err)
}

func (f *fixture) move(t testing.TB, slug, to, schema string) {
	t.Helper()
	_, err := f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Slug: to, Schema: schema})
	check(t, err)
}

// countries makes a table that tenants share.
func (f *fixture) countries(t testing.TB) {
	t.Helper()
	_, err := f.owner.Exec(t.Context(), "create table public.countries (code text primary key); insert into public.countries values ('de')")
	check(t, err)
}
