package tenancy_test

import (
	"context"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// fixture is a database with roles and a registry, and without tenants.
type fixture struct {
	pg       *pgtest.DB
	roles    schemactx.RoleNames
	owner    *pgxpool.Pool
	tenants  *tenancy.Manager
	migrator *breakable
	db       *schemactx.DB // logged in with the runtime login
	registry *tenancy.Registry
}

// migrations create a table of notes in each tenant's schema.
var migrations = migrate.Config{
	Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
	Tenant: []migrate.Source{{Name: "test", FS: fstest.MapFS{
		"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
	}}},
}

// breakable is a migrator that fails on tenants while broken is set.
type breakable struct {
	tenancy.Migrator
	broken atomic.Pointer[error]
}

func (b *breakable) Migrate(ctx context.Context, schema string) error {
	if err := b.broken.Load(); err != nil && schema != schemactx.Public {
		return *err
	}
	return b.Migrator.Migrate(ctx, schema)
}

func setup(t testing.TB) *fixture {
	t.Helper()
	return setupIn(t, pgtest.New(t))
}

func setupIn(t testing.TB, pg *pgtest.DB) *fixture {
	t.Helper()
	f := &fixture{pg: pg}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(
		t.Context(),
		f.pg.Pool,
		admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"},
	)
	require.NoError(t, err)
	f.owner = f.pool(t, f.roles.Owner(), "o")
	runner, err := migrate.New(f.owner, migrations)
	require.NoError(t, err)
	f.migrator = &breakable{Migrator: runner}
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.migrator, Roles: f.roles})
	require.NoError(t, err)
	require.NoError(t, f.tenants.Init(t.Context()))
	f.db, err = schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	f.registry = tenancy.NewRegistry(f.db)
	return f
}

func (f *fixture) pool(t testing.TB, user, password string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(user, password))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (f *fixture) create(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	require.NoError(t, err)
	return tenant
}

// rows counts tenants, domains and tenant schemas, which a refused create must not change.
func (f *fixture) countRows(t *testing.T) (counts [3]int) {
	t.Helper()
	require.NoError(t,
		f.pg.Pool.QueryRow(t.Context(), `select (select count(*) from public.tenants), (select count(*) from public.domains),
		(select count(*) from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema'))`).
			Scan(&counts[0], &counts[1], &counts[2]))
	return counts
}

// runDown undoes a migration of the registry, which the runner cannot do: it runs the Down section
// of the file and removes the version.
func (f *fixture) runDown(t *testing.T, file string) error {
	t.Helper()
	sql, err := fs.ReadFile(tenancy.Migrations(), file)
	require.NoError(t, err)
	_, down, _ := strings.Cut(string(sql), "-- +goose Down\n")
	version, _, _ := strings.Cut(file, "_")
	return pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), down); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), "delete from public.goose_db_version where version_id = $1::text::bigint", version)
		return err
	})
}

func expectField(t *testing.T, err error, field string) {
	t.Helper()
	var fieldErr *tenancy.FieldError
	if assert.ErrorAs(t, err, &fieldErr, field) {
		assert.Equal(t, field, fieldErr.Field)
	}
}
