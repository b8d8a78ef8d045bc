package tenancy_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// databaseWithTables returns a database whose schema public has a program's tables.
func databaseWithTables(t *testing.T, tables string) (pg *pgtest.DB, roles schemactx.RoleNames, owner *pgxpool.Pool) {
	t.Helper()
	f := setupRoles(t, pgtest.New(t))
	_, err := f.pg.Pool.Exec(t.Context(), tables)
	require.NoError(t, err)
	return f.pg, f.roles, f.owner
}

// managerInSchema returns a manager whose registry is in the schema.
func managerInSchema(
	t *testing.T,
	owner *pgxpool.Pool,
	roles schemactx.RoleNames,
	schema string,
	shared ...migrate.Source,
) *tenancy.Manager {
	t.Helper()
	cfg := migrations
	cfg.SharedSchema, cfg.Shared = schema, append(cfg.Shared[:1:1], shared...)
	runner, err := migrate.New(owner, cfg)
	require.NoError(t, err)
	m, err := tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: roles})
	require.NoError(t, err)
	return m
}

// databaseObjects lists all relations, schemas and functions.
func databaseObjects(t *testing.T, pg *pgtest.DB) (all []string) {
	t.Helper()
	require.NoError(t, pg.Pool.QueryRow(t.Context(), `select array(
		select nspname || ' ' || coalesce(nspacl::text, '') || coalesce(obj_description(oid, 'pg_namespace'), '')
			from pg_namespace where nspname !~ '^pg_toast'
		union all select relnamespace::regnamespace::text || '.' || relname
			from pg_class where relnamespace <> 'pg_toast'::regnamespace
		order by 1)`).Scan(&all))
	return all
}

func TestInitKeepsTablesOfAnotherProgram(t *testing.T) {
	t.Parallel()
	logs := migrate.Source{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase}
	for name, c := range map[string]struct {
		tables string
		shared []migrate.Source
	}{
		"tenants":             {"create table tenants (name text)", nil},
		"a view of that name": {"create view domains as select 1 as x", nil},
		"a log of its own":    {"create table audit_log (message text)", []migrate.Source{logs}},
		"goose's own versions": {`create table tenants (name text);
			create table goose_db_version (id int, version_id bigint, is_applied boolean, tstamp timestamptz)`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg, roles, owner := databaseWithTables(t, c.tables)
			before := databaseObjects(t, pg)
			err := managerInSchema(t, owner, roles, "", c.shared...).Init(t.Context())
			var registry *tenancy.RegistrySchemaError
			var table *migrate.ForeignTableError
			require.True(t, errors.As(err, &registry) || errors.As(err, &table), "got %v", err)
			require.ErrorContains(t, err, "RegistrySchema")
			require.ErrorContains(t, err, "SharedSchema")
			require.Equal(t, before, databaseObjects(t, pg))

			m := managerInSchema(t, owner, roles, "tenancy", c.shared...)
			require.NoError(t, m.Init(t.Context()))
			_, err = m.Create(t.Context(), tenancy.CreateParams{Slug: "a"})
			require.NoError(t, err)
		})
	}
}

func TestMigrationsBeforeInitNameInit(t *testing.T) {
	t.Parallel()
	pg, _, owner := databaseWithTables(t, "create table tenants (name text)")
	cfg := migrations
	cfg.SharedSchema = "tenancy"
	runner, err := migrate.New(owner, cfg)
	require.NoError(t, err)
	before := databaseObjects(t, pg)
	_, err = runner.UpAll(t.Context(), func(context.Context) iter.Seq2[string, error] {
		return func(func(string, error) bool) {}
	}, migrate.UpAllOptions{})
	require.ErrorIs(t, err, migrate.ErrSchemaMissing)
	require.ErrorContains(t, err, "Init of package tenancy")
	require.Equal(t, before, databaseObjects(t, pg))
}

func TestDatabaseHasOneRegistry(t *testing.T) {
	t.Parallel()
	// The table audit_log does not matter without package audit.
	pg, roles, owner := databaseWithTables(t, "create table audit_log (message text)")
	first, second := managerInSchema(t, owner, roles, ""), managerInSchema(t, owner, roles, "tenancy")
	require.NoError(t, first.Init(t.Context()))
	before := databaseObjects(t, pg)
	var refused *tenancy.RegistrySchemaError
	require.ErrorAs(t, second.Init(t.Context()), &refused)
	require.ErrorContains(t, refused, `"public"`)
	require.Equal(t, before, databaseObjects(t, pg))
	require.NoError(t, first.Init(t.Context()))
}

// If one configuration does not name the registry's schema, the error mentions RegistrySchema. Init
// has run, so a hint to run Init would not be enough.
func TestMissingRegistrySchemaIsReported(t *testing.T) {
	t.Parallel()
	pg, roles, owner := databaseWithTables(t, "create table tenants (name text); create table domains (host text)")
	logs := migrate.Source{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase}
	require.NoError(t, managerInSchema(t, owner, roles, "tenancy", logs).Init(t.Context()))
	db, err := schemactx.New(newPool(t, pg.URLAs(roles.Runtime(), "r")), schemactx.Config{Roles: roles})
	require.NoError(t, err)
	reader, err := audit.NewReader(owner, audit.ReaderConfig{})
	require.NoError(t, err)

	errs := map[string]error{}
	_, errs["directory"] = resolver.NewDirectory(t.Context(), db, resolver.Config{})
	_, errs["registry"] = tenancy.NewRegistry(db).BySlug(t.Context(), "a")
	_, errs["users"] = platformuser.New(owner).ByEmail(t.Context(), "a@example.com")
	_, errs["manager"] = managerInSchema(t, owner, roles, "").Create(t.Context(), tenancy.CreateParams{Slug: "a"})
	for what, err := range errs {
		require.ErrorIs(t, err, tenancy.ErrNotInitialized, what)
		require.ErrorContains(t, err, "RegistrySchema", what)
	}
	_, err = reader.List(t.Context(), audit.Filter{})
	require.ErrorIs(t, err, audit.ErrNotInitialized)
	require.ErrorContains(t, err, "RegistrySchema")

	hosts, err := resolver.NewDirectory(t.Context(), db, resolver.Config{RegistrySchema: "tenancy"})
	require.NoError(t, err)
	hosts.Close()
}

func TestInvalidRegistrySchemaIsRefused(t *testing.T) {
	t.Parallel()
	pg, roles, owner := databaseWithTables(t, "create schema existing")
	for _, name := range []string{
		"pg_x", "information_schema", "None", "a b", "tenant_7", "tenant_7_r1", "pgtenant_check_1", "extensions",
		roles.Owner(), roles.Runtime(), roles.Public(), roles.Tenant("x"),
	} {
		_, err := tenancy.New(owner, tenancy.Config{Migrator: anyMigrator{}, Roles: roles, RegistrySchema: name})
		var refused *tenancy.RegistrySchemaError
		require.ErrorAs(t, err, &refused, name)
		var nameErr *schemactx.NameError
		require.ErrorAs(t, err, &nameErr, name)
	}
	cfg := migrations
	cfg.SharedSchema, cfg.ExtraSearchPath = "tenancy", []string{"tenancy"}
	_, err := migrate.New(owner, cfg)
	var path *schemactx.SearchPathError
	require.ErrorAs(t, err, &path)

	runner, err := migrate.New(owner, migrations)
	require.NoError(t, err)
	_, err = tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: roles, RegistrySchema: "tenancy"})
	require.ErrorContains(t, err, "SharedSchema")

	var refused *tenancy.RegistrySchemaError
	before := databaseObjects(t, pg)
	require.ErrorAs(t, managerInSchema(t, owner, roles, "existing").Init(t.Context()), &refused)
	require.Equal(t, before, databaseObjects(t, pg))
	_, err = admin.Provision(t.Context(), owner, roles, "school")
	require.NoError(t, err)
	before = databaseObjects(t, pg)
	require.ErrorAs(t, managerInSchema(t, owner, roles, "school").Init(t.Context()), &refused)
	require.Equal(t, before, databaseObjects(t, pg))
}

type anyMigrator struct{}

func (anyMigrator) Migrate(context.Context, string) error { return nil }

// The server kills the session of Init before each of its statements, and Init is run again.
func TestInitIsRepeatedAfterCrashAtEachStatement(t *testing.T) {
	t.Parallel()
	pg, roles, owner := databaseWithTables(t, "create table tenants (name text)")
	for kills := 0; ; kills++ {
		require.Less(t, kills, 200)
		killer := &killAt{admin: pg.Pool, left: kills}
		cfg, err := pgxpool.ParseConfig(pg.URLAs(roles.Owner(), "o"))
		require.NoError(t, err)
		cfg.ConnConfig.Tracer = killer
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		err = managerInSchema(t, pool, roles, "tenancy").Init(t.Context())
		pool.Close()
		if !killer.killed {
			require.NoError(t, err)
			require.Greater(t, kills, 5)
			break
		}
		require.Error(t, err)
	}
	m := managerInSchema(t, owner, roles, "tenancy")
	require.NoError(t, m.Init(t.Context()))
	_, err := m.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	require.NoError(t, err)
}

// killAt ends the session before its statement number left.
type killAt struct {
	admin  *pgxpool.Pool
	left   int
	killed bool
}

func (k *killAt) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if k.left--; k.left == -1 {
		var ended bool
		err := k.admin.QueryRow(context.WithoutCancel(ctx), "select pg_terminate_backend($1, 60000)", conn.PgConn().PID()).
			Scan(&ended)
		k.killed = err == nil && ended
	}
	return ctx
}

func (k *killAt) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestConcurrentInitsCreateRegistrySchema(t *testing.T) {
	t.Parallel()
	_, roles, owner := databaseWithTables(t, "create table tenants (name text)")
	for range 3 {
		var all sync.WaitGroup
		for range 6 {
			m := managerInSchema(t, owner, roles, "tenancy")
			all.Go(func() { assert.NoError(t, m.Init(t.Context())) })
		}
		all.Wait()
	}
}
