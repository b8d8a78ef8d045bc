package corpustest

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
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

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// fixture is a database with roles, and the parts of a program that use it.
type fixture struct {
	testCase
	pg      *pgtest.DB
	major   int
	roles   schemactx.RoleNames
	owner   *pgxpool.Pool
	runner  *migrate.Runner
	tenants *tenancy.Manager
	backups *backup.Service
	levels  map[string]*schemactx.DB
}

// setup creates the database of a case, as its administrator does.
func setup(t *testing.T, c testCase) *fixture {
	t.Helper()
	f := &fixture{testCase: c, pg: pgtest.New(t), major: pgtest.Version(t)}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(
		t.Context(),
		f.pg.Pool,
		admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"},
	)
	require.NoError(t, err)
	f.exec(t, f.pg.Pool, strings.ReplaceAll(c.setup, "{owner}", f.roles.Owner()))
	f.owner = f.pool(t, f.roles.Owner(), "o", 4)
	return f
}

func (f *fixture) pool(t *testing.T, login, password string, size int32) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(login, password))
	require.NoError(t, err)
	cfg.MaxConns = size
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// open creates what a program creates when it starts.
func (f *fixture) open(t *testing.T) error {
	t.Helper()
	var err error
	f.runner, err = migrate.New(f.owner, migrate.Config{
		Shared:          []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant:          []migrate.Source{{Name: "case", FS: f.migrations}},
		ExtraSearchPath: f.extra,
	})
	if err != nil {
		return err
	}
	f.tenants = f.manager(t, f.runner)
	require.NoError(t, f.tenants.Init(t.Context()))
	store, err := backup.OpenDir(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	f.backups, err = backup.New(
		backup.Config{Pool: f.owner, Tenants: f.tenants, Migrations: f.runner, Store: store},
	)
	require.NoError(t, err)
	f.levels = make(map[string]*schemactx.DB)
	f.scope(t, "path only", f.roles.Owner(), "o", schemactx.PathOnly)
	f.scope(t, "roles", f.roles.Runtime(), "r", schemactx.Roles)
	return nil
}

// scope opens a handle with one connection, so that all tenants share it.
func (f *fixture) scope(t *testing.T, name, login, password string, level schemactx.Level) {
	t.Helper()
	cfg := schemactx.Config{Level: level, ExtraSearchPath: f.extra}
	if level != schemactx.PathOnly {
		cfg.Roles = f.roles
	}
	db, err := schemactx.New(f.pool(t, login, password, 1), cfg)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	f.levels[name] = db
}

func (f *fixture) manager(t *testing.T, runner *migrate.Runner) *tenancy.Manager {
	t.Helper()
	m, err := tenancy.New(
		f.owner,
		tenancy.Config{Migrator: runner, Roles: f.roles, Drop: tenancy.DropConfig{Enabled: true}},
	)
	require.NoError(t, err)
	return m
}

func (f *fixture) tenant(t *testing.T, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := f.tenants.BySlug(t.Context(), slug)
	require.NoError(t, err, "tenant %s", slug)
	return tenant
}

// exec runs a script.
func (f *fixture) exec(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
}

// execIn runs a script as the owner, with the tenant's search path. It uses its own connection, so
// that session state of the script does not count as a migration's.
func (f *fixture) execIn(t *testing.T, slug, sql string) error {
	t.Helper()
	path, err := schemactx.SearchPath(f.tenant(t, slug).Schema, f.extra)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Owner(), "o"))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(
		t.Context(),
		"begin; set local search_path = "+path+"; "+sql+"\n; commit",
		pgx.QueryExecModeSimpleProtocol,
	)
	return err
}

// text returns the lines that a query of the administrator returns.
func (f *fixture) text(t *testing.T, sql string, args ...any) string {
	t.Helper()
	rows, err := f.pg.Pool.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}

// content returns the content of a tenant's tables and sequences. It reads with the tenant's search
// path, because expressions of indexes may need it.
func (f *fixture) content(t *testing.T, slug string) string {
	t.Helper()
	schema := f.tenant(t, slug).Schema
	tx, err := f.pg.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background()) //nolint:errcheck // it was read only
	path, err := schemactx.SearchPath(schema, f.extra)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "set local search_path = "+path)
	require.NoError(t, err)
	rows, err := tx.Query(
		t.Context(),
		`select t.tablename || ': ' || query_to_xml(format('select t::text as row from only %I.%I t order by 1',
			t.schemaname, t.tablename), true, false, '')::text from pg_tables t where t.tablename <> 'goose_db_version'
				and t.schemaname = $1
		union all select sequencename || ': ' || coalesce(last_value::text, '-') from pg_sequences
			where schemaname = $1 and sequencename <> 'goose_db_version_id_seq' order by 1`,
		schema,
	)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}

// everything returns the state that a failed step must leave unchanged.
func (f *fixture) everything(t *testing.T) string {
	t.Helper()
	return f.text(
		t,
		`select * from (select 'tenant ' || t.slug || ' ' || t.schema_name || ' ' || t.status from public.tenants t
		union all select 'domain ' || d::text from public.domains d
		union all select 'relation ' || n.nspname || ' ' || c.relname || ' ' || coalesce(c.relacl::text, '') from pg_class c
			join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		union all select 'schema ' || nspname || ' ' || coalesce(nspacl::text, '') from pg_namespace where nspname !~ '^pg_'
		union all select 'role ' || rolname from pg_roles where starts_with(rolname, $1)
		union all select 'extension ' || extname from pg_extension) e order by 1`,
		f.pg.RolePrefix+"_",
	)
}

// leftOver returns the session state on the idle connections of the owner's pool.
func (f *fixture) leftOver(t *testing.T) []string {
	t.Helper()
	conns := f.owner.AcquireAllIdle(t.Context())
	defer func() {
		for _, conn := range conns {
			conn.Release()
		}
	}()
	var all []string
	for _, conn := range conns {
		rows, err := conn.Query(t.Context(), leftovers)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		all = append(all, lines...)
		for _, q := range f.testCase.owner {
			var got string
			require.NoError(t, conn.QueryRow(t.Context(), "select ("+q.sql+")::text").Scan(&got))
			if got != q.want {
				all = append(all, q.sql+" returns "+got)
			}
		}
	}
	return all
}

// leftovers returns the state that an idle session should not have.
const leftovers = `select name || ' = ' || setting from pg_settings where source = 'session'
	and name not like 'transaction\_%'
	union all select 'role ' || current_user where current_user <> session_user
	union all select 'listens to ' || pg_listening_channels()
	union all select 'cursor ' || name from pg_cursors where is_holdable
	union all select 'temporary ' || relname from pg_class where relpersistence = 't'
		and relnamespace = pg_my_temp_schema()
	union all select 'lock ' || objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`
