package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func formatSequence(s archive.Sequence) string { return fmt.Sprint(s.Last, s.Called) }

// runtime returns a pool of the runtime login.
func (f *fixture) runtime(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(f.roles.Runtime(), "r"))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// admin is exec as the superuser.
func (f *fixture) admin(t testing.TB, schema, sql string) {
	t.Helper()
	conn, err := f.pg.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Conn().PgConn().Exec(t.Context(), "begin; set local search_path = "+schema+", pg_temp; "+sql+
		"; commit").ReadAll()
	if err != nil {
		_, _ = conn.Conn().PgConn().Exec(t.Context(), "rollback").ReadAll()
	}
	require.NoError(t, err)
}

// migrations gives the fixture a runner with other tenant migrations, as if the program had
// changed.
func (f *fixture) migrations(t testing.TB, sources ...migrate.Source) {
	t.Helper()
	var err error
	f.runner, err = migrate.New(f.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}, Tenant: sources,
	})
	require.NoError(t, err)
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{
		Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{Enabled: true},
	})
	require.NoError(t, err)
}

func (f *fixture) move(t testing.TB, slug, to, schema string) {
	t.Helper()
	_, err := f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Slug: to, Schema: schema})
	require.NoError(t, err)
}

// countries creates a table that tenants share.
func (f *fixture) countries(t testing.TB) {
	t.Helper()
	_, err := f.owner.Exec(
		t.Context(),
		"create table public.countries (code text primary key); insert into public.countries values ('de')",
	)
	require.NoError(t, err)
}

// everything returns what a refused restore must not change: the registry, schemas and relations,
// roles and their members.
func (f *fixture) everything(t testing.TB) string {
	t.Helper()
	rows, err := f.pg.Pool.Query(t.Context(), `select 'tenant ' || t::text from public.tenants t
		union all select 'domain ' || d::text from public.domains d
		union all select 'name ' || n.name from public.schema_names n where n.tenant_id in (select id from public.tenants)
		union all select 'side ' || s::text from public.side_schemas s
		union all select 'relation ' || n.nspname || ' ' || c.relname || ' ' || coalesce(c.relacl::text, '') from pg_class c
			join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		union all select 'schema ' || nspname || ' ' || coalesce(nspacl::text, '') from pg_namespace where nspname !~ '^pg_'
		union all select 'role ' || rolname || ' ' || rolcanlogin from pg_roles where starts_with(rolname, $1)
		union all select 'member ' || roleid::regrole || ' ' || member::regrole from pg_auth_members
			where starts_with(roleid::regrole::text, $1) order by 1`, f.pg.RolePrefix+"_")
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}

// expectOne expects an error: one of those in want, or any if want is empty.
func expectOne(t *testing.T, what string, err error, want []error) {
	t.Helper()
	ok := err != nil && len(want) == 0
	for _, w := range want {
		ok = ok || errors.Is(err, w)
	}
	assert.True(t, ok, "%s: got %v, want %v", what, err, want)
}

// edited returns the files of a source, with one file changed.
func edited(t testing.TB, source migrate.Source, name, from, to string) fs.FS {
	t.Helper()
	files := make(fstest.MapFS)
	for file, content := range source.FS.(fstest.MapFS) {
		files[file] = content
	}
	text := strings.Replace(string(files[name].Data), from, to, 1)
	files[name] = &fstest.MapFile{Data: []byte(text)}
	return files
}

// confirmed confirms a restore with a request of one person.
func (f *fixture) confirmed(t *testing.T, s *backup.Service, slug, retained string) (tenancy.Tenant, error) {
	t.Helper()
	r, err := f.tenants.RequestConfirm(t.Context(), slug, retained, "ada")
	require.NoError(t, err)
	return s.ConfirmRestore(t.Context(), tenancy.DropParams{Slug: slug, Token: r.Token, Actor: "ada"}, retained)
}
