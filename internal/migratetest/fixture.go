package migratetest

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

// Basic is a set of two migrations.
var Basic = map[string]string{
	"00001_notes.sql": "create table notes (id int primary key);\ninsert into notes values (1);",
	"00002_body.sql":  "alter table notes add column body text;",
}

// Source returns a source of migrations. The texts of files are the Up sections.
func Source(name string, files map[string]string) migrate.Source {
	m := make(fstest.MapFS)
	for file, up := range files {
		m[file] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + up + "\n")}
	}
	return migrate.Source{Name: name, FS: m}
}

// Names returns tenant_1 to tenant_n.
func Names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("tenant_%d", i+1)
	}
	return names
}

// Fixture is a database with the empty schemas tenant_1 to tenant_3.
type Fixture struct {
	PG *pgtest.DB
}

// New creates the database. It is dropped at the end of the test.
func New(t *testing.T) Fixture {
	t.Helper()
	f := Fixture{pgtest.New(t)}
	for _, schema := range Names(3) {
		f.Exec(t, "create schema "+schema)
	}
	return f
}

// NewProvisioned is [New] with schemas that are provisioned for tenants. It also returns a pool of
// their owner, and the roles.
func NewProvisioned(t *testing.T) (Fixture, *pgxpool.Pool, schemactx.RoleNames) {
	t.Helper()
	f := Fixture{pgtest.New(t)}
	roles, err := schemactx.NewRoleNames(f.PG.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.PG.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "owner"})
	require.NoError(t, err)
	owner, err := pgxpool.New(t.Context(), f.PG.URLAs(roles.Owner(), "owner"))
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	for _, schema := range Names(3) {
		_, err := admin.Provision(t.Context(), owner, roles, schema)
		require.NoError(t, err)
	}
	return f, owner, roles
}

// Exec runs the statements of sql.
func (f Fixture) Exec(t *testing.T, sql string) {
	t.Helper()
	_, err := f.PG.Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// Scan reads the one row of a query.
func (f Fixture) Scan(t *testing.T, sql string, dest ...any) {
	t.Helper()
	require.NoError(t, f.PG.Pool.QueryRow(t.Context(), sql).Scan(dest...))
}

// Runner returns a runner with the files as its tenant set.
func (f Fixture) Runner(t *testing.T, files map[string]string) *migrate.Runner {
	t.Helper()
	r, err := migrate.New(f.PG.Pool, migrate.Config{Tenant: []migrate.Source{Source("app", files)}})
	require.NoError(t, err)
	return r
}

// Inventory returns all schemas and the numbers of roles and default privileges as text.
func (f Fixture) Inventory(t *testing.T) (text string) {
	t.Helper()
	f.Scan(t, `select (select string_agg(nspname, ' ' order by nspname) from pg_namespace) || ' ' ||
		(select count(*) || ' roles' from pg_roles where starts_with(rolname::text, $$`+f.PG.RolePrefix+`$$)) || ' ' ||
		(select count(*) || ' default privileges' from pg_default_acl)`, &text)
	return text
}

// DriftLines returns the differences of schemas as lines, each with its schema.
func DriftLines(t *testing.T, r *migrate.Runner, opts drift.Options, schemas ...string) []string {
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

// ExpectLines checks lines against want. No lines and no expectation are equal.
func ExpectLines(t *testing.T, lines []string, want ...string) {
	t.Helper()
	assert.Equal(t, append([]string{}, want...), lines)
}
