package migrate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// poolOf returns a pool with the number of connections to the fixture's database.
func (f fixture) poolOf(t *testing.T, conns int32, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(f.PG.URL)
	require.NoError(t, err)
	cfg.MaxConns = conns
	if change != nil {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// leftovers returns the state of a session that a new session would not have.
const leftovers = `select concat_ws(' ',
	case when current_setting('search_path') <> '"$user", public' then 'path ' || current_setting('search_path') end,
	case when current_user <> session_user then 'role' end,
	case when session_user <> $1 then 'user' end,
	case when current_setting('work_mem') <> '4MB' then 'work_mem' end,
	case when current_setting('check_function_bodies') <> 'on' then 'bodies' end,
	case when current_setting('row_security') <> 'on' then 'row_security' end,
	case when current_setting('default_transaction_read_only') <> 'off' then 'read only' end,
	case when coalesce(current_setting('app.tenant', true), '') <> '' then 'app.tenant' end,
	(select 'temporary ' || min(relname) from pg_class where relnamespace = pg_my_temp_schema()),
	(select 'prepared ' || min(name) from pg_prepared_statements),
	(select 'cursor ' || min(name) from pg_cursors where name ~ 'left'),
	(select 'listens ' || min(c) from pg_listening_channels() c),
	(select 'lock' from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and objid = 4711 limit 1))`

// sessionChanges are statements that change their session, in different ways. OTHER stands for
// another role.
var sessionChanges = map[string]string{
	"set_config":            "select set_config('search_path', '', false);",
	"set_config in a block": "do $$ begin perform set_config('search_path', 'elsewhere', false); end $$;",
	"SET in a block":        "do $$ begin set work_mem = '123kB'; end $$;",
	"the head of a dump": "select pg_catalog.set_config('search_path', '', false), " +
		"set_config('check_function_bodies', 'off', false), set_config('row_security', 'off', false);",
	"role":                  "select set_config('role', 'OTHER', false);",
	"session authorization": "select set_config('session_authorization', 'OTHER', false);",
	"read only":             "select set_config('default_transaction_read_only', 'on', false);",
	"setting of an app":     "select set_config('app.tenant', current_schema(), false);",
	"a function of its own": "create function leak() returns text language sql as $$ " +
		"select set_config('app.tenant', 'x', false) $$;\n" +
		"create table s (x text default leak());\ninsert into s default values;\ndrop table s;\ndrop function leak();",
	"temporary table": "create temporary table left_behind (id int);",
	"prepared":        "prepare left_behind as select 1;",
	"cursor":          "declare left_behind cursor with hold for select 1;",
	"listen":          "listen left_behind;",
	"lock":            "select pg_advisory_lock(4711);",
}

// TestSessionStateEndsWithItsMigration checks that the next file, the next schema and the next
// user of the pool find the state of a new connection, whatever a migration has done.
func TestSessionStateEndsWithItsMigration(t *testing.T) {
	t.Parallel()
	for name, sql := range sessionChanges {
		for kind, files := range map[string]map[string]string{
			"in a transaction": {"00001_a.sql": sql},
			"without":          {"00001_a.sql": "-- +goose NO TRANSACTION\n" + sql},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				f := setup(t)
				other := f.PG.RolePrefix + "_other"
				f.Exec(t, "create role "+other+"; create schema elsewhere; grant all on schema elsewhere to "+other)
				files := map[string]string{
					"00001_a.sql": strings.ReplaceAll(files["00001_a.sql"], "OTHER", other),
					"00002_b.sql": observe(f),
				}
				for lockName, lock := range everyLock {
					if kind == "without" && lock == migrate.LockTable {
						continue
					}
					for _, schema := range names(3) {
						f.Exec(t, "drop schema "+schema+" cascade; create schema "+schema)
					}
					pool := f.poolOf(t, 1, nil)
					r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", files)}, Lock: lock})
					require.NoError(t, err)
					require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
					f.expectNothingLeft(t, pool, lockName)
					_, err = r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
					require.NoError(t, err)
					f.expectNothingLeft(t, pool, lockName+", fleet")
					for _, schema := range names(3) {
						var seen string
						f.Scan(t, "select seen from "+schema+".observed", &seen)
						if name == "lock" { // the session's own lock ends with the connection and stops no file
							continue
						}
						assert.Empty(t, seen, "%s: what the second file found in %s", lockName, schema)
					}
				}
			})
		}
	}
}

// observe returns a file that records the session state that it finds. The expected search path is
// that of the schema, as for every migration.
func observe(f fixture) string {
	return "create table observed as " + strings.ReplaceAll(
		strings.ReplaceAll(leftovers, "$1", "'"+f.user()+"'"),
		`case when current_setting('search_path') <> '"$user", public' then 'path ' || current_setting('search_path') end`,
		`case when current_setting('search_path') not like '"tenant\__", pg_temp'
			then 'path ' || current_setting('search_path') end`,
	) + " as seen;"
}

func (f fixture) user() string { return f.PG.Pool.Config().ConnConfig.User }

func (f fixture) expectNothingLeft(t *testing.T, pool *pgxpool.Pool, what string) {
	t.Helper()
	var left string
	require.NoError(t, pool.QueryRow(t.Context(), leftovers, pgx.QueryExecModeExec, f.user()).Scan(&left))
	assert.Empty(t, left, what)
}

// TestMigrationThatFailsLeavesNothingOnTheSession checks the same after a file that fails, and
// after functions that use the connection.
func TestMigrationThatFailsLeavesNothingOnTheSession(t *testing.T) {
	t.Parallel()
	f := setup(t)
	change := func(ctx context.Context, exec func(context.Context, string, ...any) error) error {
		for _, name := range []string{"set_config", "temporary table", "prepared", "listen", "lock"} {
			sql := sessionChanges[name]
			if err := exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	}
	alone := func(ctx context.Context, conn *pgx.Conn) error {
		return change(ctx, func(ctx context.Context, sql string, _ ...any) error {
			_, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
			return err
		})
	}
	in := func(ctx context.Context, tx pgx.Tx) error {
		return change(ctx, func(ctx context.Context, sql string, _ ...any) error {
			_, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
			return err
		})
	}
	next := map[string]string{"00002_b.sql": observe(f)}
	file := func(sql string) migrate.Source { return source("app", map[string]string{"00001_a.sql": sql}) }
	for name, src := range map[string]migrate.Source{
		"function with the connection": {Name: "app", Go: []migrate.GoMigration{{Version: 1, Name: "a", UpNoTx: alone}}},
		"function in the transaction":  {Name: "app", Go: []migrate.GoMigration{{Version: 1, Name: "a", Up: in}}},
		"file that fails":              file(sessionChanges["set_config in a block"] + "\nselect 1/0;"),
		"file without a transaction": file("-- +goose NO TRANSACTION\nset work_mem = '123kB';\n" +
			"set search_path = elsewhere;\nselect 1/0;"),
		"file that fails at COMMIT": file(sessionChanges["set_config in a block"] +
			"\ncreate table p (id int primary key, p int references p deferrable initially deferred);\n" +
			"insert into p values (1, 2);"),
		"file that SETs and is committed": file("-- +goose NO TRANSACTION\nset work_mem = '123kB';\n" +
			"set session authorization default;\nset role none;"),
	} {
		if src.Go != nil {
			src.FS = source("app", next).FS
		}
		pool := f.poolOf(t, 1, nil)
		f.Exec(t, "drop schema tenant_1 cascade; create schema tenant_1")
		r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{src}})
		require.NoError(t, err)
		err = r.Migrate(t.Context(), "tenant_1")
		f.expectNothingLeft(t, pool, name)
		if src.Go != nil {
			require.NoError(t, err, name)
			var seen string
			f.Scan(t, "select seen from tenant_1.observed", &seen)
			assert.Contains(t, []string{"", "lock"}, seen, name)
		}
	}
}

// TestSettingsOfThePoolSurvive checks that the settings of a program's hooks are there in every
// file, and for the next user of the pool.
func TestSettingsOfThePoolSurvive(t *testing.T) {
	t.Parallel()
	f := setup(t)
	owner := f.PG.RolePrefix + "_owner"
	f.Exec(t, "create role "+owner+" superuser")
	pool := f.poolOf(t, 1, func(cfg *pgxpool.Config) {
		cfg.ConnConfig.RuntimeParams["work_mem"] = "7MB"
		cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(
				ctx,
				"set role "+owner+"; set maintenance_work_mem = '17MB'; set check_function_bodies = off",
				pgx.QueryExecModeSimpleProtocol,
			)
			return err
		}
	})
	const found = "current_user || ' ' || current_setting('work_mem') || ' ' || " +
		"current_setting('maintenance_work_mem') || ' ' || current_setting('check_function_bodies')"
	note := "create table %s as select " + found + " as found;\nselect set_config('role', 'none', false), " +
		"set_config('maintenance_work_mem', '1MB', false), set_config('check_function_bodies', 'on', false);"
	files := map[string]string{
		"00001_a.sql": fmt.Sprintf(note, "a"), "00002_b.sql": fmt.Sprintf(note, "b"),
		"00003_c.sql": "-- +goose NO TRANSACTION\n" + fmt.Sprintf(note, "c"), "00004_d.sql": fmt.Sprintf(note, "d"),
	}
	r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", files)}})
	require.NoError(t, err)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	_, err = r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	require.NoError(t, err)
	want := owner + " 7MB 17MB off"
	for _, schema := range names(3) {
		for _, table := range []string{"a", "b", "c", "d"} {
			var got string
			f.Scan(t, "select found from "+schema+"."+table, &got)
			assert.Equal(t, want, got, "%s.%s", schema, table)
		}
	}
	var got string
	require.NoError(t, pool.QueryRow(t.Context(), "select "+found).Scan(&got))
	assert.Equal(t, want, got)
}

// TestEverythingWorksWithOneConnection checks that nothing needs a second connection while it holds
// one.
func TestEverythingWorksWithOneConnection(t *testing.T) {
	t.Parallel()
	for name, lock := range everyLock {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			files := map[string]string{
				"00001_notes.sql": basic["00001_notes.sql"],
				"00002_body.sql":  basic["00002_body.sql"],
				"00004_z.sql":     "create table z ();",
			}
			if lock != migrate.LockTable {
				files["00005_alone.sql"] = "-- +goose NO TRANSACTION\ncreate index concurrently on notes (body);"
				files["00006_more.sql"] = "create table more ();"
			}
			src := source("app", files)
			src.Go = []migrate.GoMigration{{Version: 3, Name: "fill", Up: func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "update notes set body = 'x'")
				return err
			}, Down: func(context.Context, pgx.Tx) error { return nil }}}
			pool := f.poolOf(t, 1, nil)
			r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{src}, Lock: lock})
			require.NoError(t, err)
			_, err = r.UpTo(t.Context(), "tenant_1", 2)
			require.NoError(t, err)
			require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
			require.NoError(t, r.MigrateNew(t.Context(), "tenant_2"))
			_, err = r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{Workers: 1})
			require.NoError(t, err)
			status, err := r.Status(t.Context(), "tenant_3")
			require.NoError(t, err)
			assert.Empty(t, status.Versions(migrate.Pending))
			report, err := drift.Check(t.Context(), r, names(3), drift.Options{Workers: 1})
			require.NoError(t, err)
			require.NoError(t, report.Err())
			for _, err := range r.Fleet(t.Context(), migrate.Schemas(names(3)...)) {
				require.NoError(t, err)
			}
			_, err = r.PlanDown(t.Context(), "tenant_1", 0)
			require.ErrorIs(t, err, migrate.ErrNoDown)
			f.Exec(t, "grant select on tenant_1.goose_db_version to public")
			require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
		})
	}
}

// TestRunnerThatFindsItsWorkDoneWithOneConnection lets another runner migrate between the first
// read and the lock. The versions are read again, on the connection that has the lock.
func TestRunnerThatFindsItsWorkDoneWithOneConnection(t *testing.T) {
	t.Parallel()
	for name, lock := range everyLock {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			var once bool
			faster := f.Runner(t, basic)
			pool := f.poolOf(t, 1, func(cfg *pgxpool.Config) {
				cfg.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
					var there bool
					if err := conn.QueryRow(ctx, "select to_regclass('tenant_1.notes') is not null").Scan(&there); err != nil {
						return false, err
					}
					if !there && once { // the second time is after the read and before the lock
						return true, faster.Migrate(ctx, "tenant_1")
					}
					once = true
					return true, nil
				}
			})
			r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}, Lock: lock})
			require.NoError(t, err)
			res, err := r.Up(t.Context(), "tenant_1")
			require.NoError(t, err)
			assert.Empty(t, res.Applied)
			assert.Equal(t, 1, f.at(t, 1))
		})
	}
}
