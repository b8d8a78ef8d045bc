package tenancy_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

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
	migrator *failingMigrator
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

// failingMigrator is a migrator that fails on tenants while err is set.
type failingMigrator struct {
	tenancy.Migrator
	err atomic.Pointer[error]
}

func (m *failingMigrator) Migrate(ctx context.Context, schema string) error {
	if err := m.err.Load(); err != nil && schema != schemactx.Public {
		return *err
	}
	return m.Migrator.Migrate(ctx, schema)
}

type migratorFunc func(ctx context.Context, schema string) error

func (f migratorFunc) Migrate(ctx context.Context, schema string) error { return f(ctx, schema) }

func setup(t testing.TB) *fixture {
	t.Helper()
	return setupIn(t, pgtest.New(t))
}

// setupIn initializes a registry in an empty database.
func setupIn(t testing.TB, pg *pgtest.DB) *fixture {
	t.Helper()
	f := setupRoles(t, pg)
	f.migrator = &failingMigrator{Migrator: notesRunner(t, f.owner)}
	var err error
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.migrator, Roles: f.roles})
	require.NoError(t, err)
	require.NoError(t, f.tenants.Init(t.Context()))
	return f
}

// setupRoles returns a fixture of a database that has the roles and no registry: its manager and
// its migrator are nil.
func setupRoles(t testing.TB, pg *pgtest.DB) *fixture {
	t.Helper()
	f := &fixture{pg: pg}
	var err error
	f.roles, err = schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	config := admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"}
	_, err = admin.Setup(t.Context(), pg.Pool, config)
	require.NoError(t, err)
	f.owner = f.ownerPool(t, func(*pgxpool.Config) {})
	f.db, err = schemactx.New(newPool(t, pg.URLAs(f.roles.Runtime(), "r")), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	f.registry = tenancy.NewRegistry(f.db)
	return f
}

// newPool returns a pool that is closed when the test ends.
func newPool(t testing.TB, url string, changes ...func(cfg *pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	for _, change := range changes {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// ownerPool returns another pool of the owner role.
func (f *fixture) ownerPool(t testing.TB, change func(cfg *pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	return newPool(t, f.pg.URLAs(f.roles.Owner(), "o"), change)
}

// smallPool returns a pool of the owner role with n connections.
func (f *fixture) smallPool(t testing.TB, n int32) *pgxpool.Pool {
	t.Helper()
	return f.ownerPool(t, func(cfg *pgxpool.Config) { cfg.MaxConns = n })
}

// expectIdle acquires all connections of a pool at once. That succeeds only when every connection
// has been released.
func expectIdle(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	ctx := timeoutContext(t)
	for range pool.Config().MaxConns {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err, "a connection was not released")
		defer conn.Release()
	}
}

// timeoutContext returns a context that ends after a minute, so that a call that would wait forever
// fails.
func timeoutContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// manager returns another manager of the fixture's database, with the migrator that can be made to
// fail.
func (f *fixture) manager(t *testing.T, cfg tenancy.Config) *tenancy.Manager {
	t.Helper()
	cfg.Migrator, cfg.Roles = f.migrator, f.roles
	m, err := tenancy.New(f.owner, cfg)
	require.NoError(t, err)
	return m
}

// managerWith returns another manager of the fixture's database, with a migrate.Runner and the
// given changes.
func (f *fixture) managerWith(t testing.TB, change func(cfg *tenancy.Config)) *tenancy.Manager {
	t.Helper()
	cfg := tenancy.Config{Migrator: f.migrator.Migrator, Roles: f.roles}
	change(&cfg)
	m, err := tenancy.New(f.owner, cfg)
	require.NoError(t, err)
	return m
}

// notesRunner returns a runner of the fixture's migrations.
func notesRunner(t testing.TB, pool *pgxpool.Pool) *migrate.Runner {
	t.Helper()
	runner, err := migrate.New(pool, migrations)
	require.NoError(t, err)
	return runner
}

// acceptAllDomains verifies every claim.
var acceptAllDomains = tenancy.DomainVerifierFunc(func(context.Context, tenancy.Domain) error { return nil })

// createParams returns the parameters of a tenant with the domain <slug>.example.com.
func createParams(slug string) tenancy.CreateParams {
	return tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"}
}

func (f *fixture) create(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := f.tenants.Create(t.Context(), createParams(slug))
	require.NoError(t, err)
	return tenant
}

// insertTenant inserts the row and the primary domain of a tenant, without a schema. Tests that
// only read the registry use it.
func (f *fixture) insertTenant(t *testing.T, slug string, status tenancy.Status) (id int64) {
	t.Helper()
	require.NoError(t, f.owner.QueryRow(t.Context(), `with s as (
			insert into schema_names (name, tenant_id) values ('s_' || $1, 0) returning name
		), t as (
			insert into tenants (schema_name, slug, name, status) select name, $1, 'Name of ' || $1, $2 from s returning id
		)
		insert into domains (tenant_id, host, is_primary, verified_at)
		select id, $1 || '.example.com', true, now() from t returning tenant_id`, slug, status).Scan(&id))
	return id
}

// insertTenants inserts the rows of n active tenants with the slugs t00, t01 and so on.
func (f *fixture) insertTenants(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		f.insertTenant(t, fmt.Sprintf("t%02d", i), tenancy.Active)
	}
}

// countRows counts tenants, domains and tenant schemas. A refused create must not change them.
func (f *fixture) countRows(t *testing.T) (counts [3]int) {
	t.Helper()
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select
		(select count(*) from public.tenants),
		(select count(*) from public.domains),
		(select count(*) from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema'))`,
	).Scan(&counts[0], &counts[1], &counts[2]))
	return counts
}

// queryStrings returns the values of one column as a superuser.
func (f *fixture) queryStrings(t testing.TB, sql string, args ...any) []string {
	t.Helper()
	rows, err := f.pg.Pool.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return values
}

// waitUntil polls a condition in SQL until it is true, for up to a minute.
func (f *fixture) waitUntil(t *testing.T, condition string, args ...any) {
	t.Helper()
	require.Eventually(t, func() (holds bool) {
		err := f.pg.Pool.QueryRow(t.Context(), "select "+condition, args...).Scan(&holds)
		return assert.NoError(t, err) && holds
	}, time.Minute, 10*time.Millisecond, condition)
}

// runDown reverts a migration of the registry, which the runner cannot do: it runs the Down section
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

// failureOf returns the recorded error of the tenant's unfinished operation.
func failureOf(t tenancy.Tenant) string {
	if t.Operation == nil {
		return ""
	}
	return t.Operation.Failure
}

// nextSchema returns the new schema name of the tenant's unfinished rename.
func nextSchema(t tenancy.Tenant) string {
	if t.Operation == nil || t.Operation.Op != tenancy.OpRename {
		return ""
	}
	return t.Operation.Schema
}

// expectField expects a FieldError of a field.
func expectField(t *testing.T, err error, field string) {
	t.Helper()
	var fieldErr *tenancy.FieldError
	if assert.ErrorAs(t, err, &fieldErr, field) {
		assert.Equal(t, field, fieldErr.Field)
	}
}
