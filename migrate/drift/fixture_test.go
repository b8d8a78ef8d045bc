package drift_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// source returns a source of migrations. The texts of files are the Up sections.
func source(name string, files map[string]string) migrate.Source {
	m := make(fstest.MapFS)
	for file, up := range files {
		m[file] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + up + "\n")}
	}
	return migrate.Source{Name: name, FS: m}
}

var basic = map[string]string{
	"00001_notes.sql": "create table notes (id int primary key);\ninsert into notes values (1);",
	"00002_body.sql":  "alter table notes add column body text;",
}

// fixture is a database with the empty schemas tenant_1 to tenant_3.
type fixture struct {
	pg *pgtest.DB
}

func setup(t *testing.T) fixture {
	f := fixture{pgtest.New(t)}
	for i := range 3 {
		f.exec(t, fmt.Sprintf("create schema tenant_%d", i+1))
	}
	return f
}

func (f fixture) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := f.pg.Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func (f fixture) scan(t *testing.T, sql string, dest ...any) {
	t.Helper()
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), sql).Scan(dest...))
}

func (f fixture) runner(t *testing.T, files map[string]string) *migrate.Runner {
	t.Helper()
	r, err := migrate.New(f.pg.Pool, migrate.Config{Tenant: []migrate.Source{source("app", files)}})
	require.NoError(t, err)
	return r
}

// names returns tenant_1 to tenant_n.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("tenant_%d", i+1)
	}
	return all
}

// driftLines returns the differences as lines, each with its schema.
func driftLines(t *testing.T, r *migrate.Runner, opts drift.Options, schemas ...string) []string {
	t.Helper()
	report, err := drift.Check(t.Context(), r, schemas, opts)
	require.NoError(t, err)
	assert.Equal(t, len(schemas), report.Checked, "schemas that were checked")
	assert.Equal(t, len(schemas), report.Equal+len(report.Results), "equal schemas and results")
	lines := []string{}
	for _, res := range report.Results {
		if res.Err != nil {
			lines = append(lines, fmt.Sprintf("%s: %s", res.Schema, res.State))
		}
		for _, d := range res.Differences {
			lines = append(lines, fmt.Sprintf("%s: %s", res.Schema, d))
		}
	}
	return lines
}

func expectLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	assert.Equal(t, append([]string{}, want...), got)
}

// provisioned returns a fixture whose schemas are provisioned for tenants, and a pool of their
// owner.
func provisioned(t *testing.T) (fixture, *pgxpool.Pool, schemactx.RoleNames) {
	t.Helper()
	f := setup(t)
	f.exec(t, "drop schema tenant_1; drop schema tenant_2; drop schema tenant_3")
	roles, err := schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "owner"})
	require.NoError(t, err)
	owner, err := pgxpool.New(t.Context(), f.pg.URLAs(roles.Owner(), "owner"))
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	for _, schema := range []string{"tenant_1", "tenant_2", "tenant_3"} {
		_, err := admin.Provision(t.Context(), owner, roles, schema)
		require.NoError(t, err)
	}
	return f, owner, roles
}

// world returns all schemas and the numbers of roles and default privileges as text.
func (f fixture) world(t *testing.T) (all string) {
	t.Helper()
	f.scan(t, `select (select string_agg(nspname, ' ' order by nspname) from pg_namespace) || ' ' ||
		(select count(*) || ' roles' from pg_roles where starts_with(rolname::text, $$`+f.pg.RolePrefix+`$$)) || ' ' ||
		(select count(*) || ' default privileges' from pg_default_acl)`, &all)
	return all
}
