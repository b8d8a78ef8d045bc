package schemactx_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/schemactx"
)

// All parts use one server. Each has its own database, by which it finds its log lines.
func TestServerLog(t *testing.T) {
	t.Parallel()
	s := startLogging(t)
	for name, run := range map[string]func(*testing.T, *loggingServer){
		"names the tenant of each statement":      testLogNamesTenants,
		"names tenants that log in":               testLogNamesLogins,
		"names the request":                       testLogNamesRequests,
		"names tenants behind PgBouncer":          testLogBehindPgBouncer,
		"cannot be written by a tenant":           testLogCannotBeFaked,
		"can be misled where it is not hardened":  testLogMisledByTheUnhardened,
		"names who waits and who spills":          testLogNamesWaits,
		"is read by pgBadger":                     testLogIsReadByPgBadger,
		"shows other tenants' names, not queries": testLogShowsNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, s)
		})
	}
}

// logModes are pgx's modes to send statements.
var logModes = map[string]pgx.QueryExecMode{
	"prepared": pgx.QueryExecModeCacheStatement,
	"unnamed":  pgx.QueryExecModeExec,
}

func (f *fixture) openLogged(t *testing.T, log schemactx.ServerLog, mode pgx.QueryExecMode) *schemactx.DB {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
	require.NoError(t, err)
	cfg.MaxConns = 1
	cfg.ConnConfig.DefaultQueryExecMode = mode
	cfg.ConnConfig.RuntimeParams["application_name"] = "school"
	return f.openWith(t, cfg, schemactx.Config{ServerLog: log})
}

// ofTenant returns the tenant that an entry shows, by its application_name or by its first comment.
func ofTenant(e logEntry, log schemactx.ServerLog) string {
	if log == schemactx.ServerLogApplicationName {
		return e.app
	}
	_, after, _ := strings.Cut(e.text, "/*schema='")
	schema, _, _ := strings.Cut(after, "'*/")
	return schema
}

func testLogNamesTenants(t *testing.T, s *loggingServer) {
	for mode, execMode := range logModes {
		for name, log := range map[string]schemactx.ServerLog{
			"app": schemactx.ServerLogApplicationName, "comment": schemactx.ServerLogComment,
		} {
			for settings, set := range map[string]func(*testing.T, *fixture){
				"all": func(*testing.T, *fixture) {}, "slow": s.onlySlow,
			} {
				t.Run(name+" "+mode+" "+settings, func(t *testing.T) {
					t.Parallel()
					f := s.setup(t)
					set(t, f)
					db := f.openLogged(t, log, execMode)
					for _, schema := range []string{"tenant_a", "tenant_b"} { // on one connection
						for try, mark := range runLogTries(t, f, db, schema) {
							expectLogOf(t, s, f, log, try, mark, schema)
						}
					}
					expectCopyNamed(t, s, f, db, log)
				})
			}
		}
	}
}

// expectLogOf checks all log entries of the runtime login that contain a mark.
func expectLogOf(t *testing.T, s *loggingServer, f *fixture, log schemactx.ServerLog, try, mark, schema string) {
	t.Helper()
	seen := 0
	for _, e := range s.about(t, f, mark) {
		if e.user != f.roles.Runtime() || e.severity == "ERROR" && log == schemactx.ServerLogComment ||
			e.severity == "DETAIL" {
			continue // with comments the STATEMENT line after an error shows the tenant
		}
		seen++
		got := ofTenant(e, log)
		assert.Equal(t, schema, got, "%s of %s is written as %q's: %+v", try, schema, got, e)
	}
	assert.NotZero(t, seen, "%s of %s: nothing in the log", try, schema)
}

// A CopyFrom outside of a transaction is one string with its scope, which the server logs before
// and after it runs. The string shows the tenant, and the name does not.
func expectCopyNamed(t *testing.T, s *loggingServer, f *fixture, db *schemactx.DB, log schemactx.ServerLog) {
	t.Helper()
	f.exec(t, "create table tenant_a.copied (id int)")
	_, err := db.CopyFrom(in(t, "tenant_a"), pgx.Identifier{"copied"}, []string{"id"}, rowsOf([]any{1}))
	require.NoError(t, err)
	lines := 0
	for _, e := range s.about(t, f, `copy "copied"`) {
		lines++
		if assert.Contains(t, e.text, `set_config('search_path', '"tenant_a", pg_temp'::text, true)`,
			"copy is written as %+v", e) &&
			assert.False(t, log == schemactx.ServerLogComment && ofTenant(e, log) != "tenant_a", "copy is written as %+v", e) {
			assert.Equal(t, "school", e.app, "copy is written as %+v", e)
		}
	}
	assert.NotZero(t, lines, "copy is not in the log")
}

func testLogNamesLogins(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	f.provisionLogin(t, "tenant_a", "pa")
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
	require.NoError(t, err)
	db := f.openWith(t, cfg, schemactx.Config{
		Level:     schemactx.Logins,
		ServerLog: schemactx.ServerLogApplicationName,
		Logins: schemactx.LoginsConfig{
			MaxConns: 1,
			Password: func(context.Context, string) (string, error) { return "pa", nil },
		},
	})
	defer db.Close()
	ctx := in(t, "tenant_a")
	_, err = db.Exec(ctx, "select 'mark' from notes")
	require.NoError(t, err)
	_, err = db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, rowsOf([]any{77, "mark"}))
	require.NoError(t, err)
	require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error { return insertNote(ctx, tx) }))
	entries := 0
	for _, e := range s.entries(t, f) {
		if e.user == f.roles.Tenant("tenant_a") {
			entries++
			assert.Equal(t, "tenant_a", e.app, "written as %q's: %+v", e.app, e)
		}
	}
	assert.NotZero(t, entries, "nothing in the log")

	// A tenant who controls statements can give the session any name. The next statement finds that,
	// and %u is always right.
	_, err = db.Exec(ctx, "select set_config('application_name', 'tenant_b', false)")
	require.NoError(t, err)
	_, err = db.Exec(ctx, "select 'after'")
	assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
	for _, e := range s.about(t, f, "after") {
		assert.NotEqual(t, "LOG", e.severity, "ran: %+v", e)
	}
	expectNote(t, ctx, db, "tenant_a")
}

// The server's own messages about a wait and a temporary file show the tenant too.
func testLogNamesWaits(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	_, err := s.admin.Exec(t.Context(), "alter database "+pgx.Identifier{f.pg.Name}.Sanitize()+" set work_mem = '64kB'")
	require.NoError(t, err)
	holder, waiter := f.openLogged(t, schemactx.ServerLogApplicationName, pgx.QueryExecModeExec),
		f.openLogged(t, schemactx.ServerLogApplicationName, pgx.QueryExecModeCacheStatement)
	ctx := in(t, "tenant_b")
	const write = "update notes set body = body where id = 1"
	done := make(chan error, 1)
	require.NoError(t, holder.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, write); err != nil {
			return err
		}
		go func() {
			_, err := waiter.Exec(ctx, write)
			done <- err
		}()
		patience, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for len(s.about(t, f, "still waiting for")) == 0 && patience.Err() == nil {
			runtime.Gosched() // until the server has logged it
		}
		return nil
	}))
	require.NoError(t, <-done)
	_, err = waiter.Exec(ctx, "select g from generate_series(1, 50000) g order by md5(g::text)")
	require.NoError(t, err)
	for _, mark := range []string{"still waiting for", "acquired ShareLock", "temporary file: path"} {
		entries := s.about(t, f, mark)
		assert.NotEmpty(t, entries, "%q is not in the log", mark)
		for _, e := range entries {
			assert.Equal(t, "tenant_b", e.app, "written as %q's: %+v", e.app, e)
		}
	}
}

type requestKey struct{}

func testLogNamesRequests(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	for mode, execMode := range logModes {
		cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
		require.NoError(t, err)
		cfg.MaxConns = 1
		cfg.ConnConfig.DefaultQueryExecMode = execMode
		db := f.openWith(
			t,
			cfg,
			schemactx.Config{ServerLog: schemactx.ServerLogApplicationName, RequestID: func(ctx context.Context) string {
				id, _ := ctx.Value(requestKey{}).(string)
				return id
			}},
		)
		for i, c := range []struct{ id, want string }{
			{"", "tenant_a"},
			{"0198f3c2-aa:1.b=c+d", "tenant_a/0198f3c2-aa:1.b=c+d"},
			{strings.Repeat("x", 64), "tenant_a/" + strings.Repeat("x", 54)}, // 63 bytes
			{"a b", "tenant_a"},
			{"a,client=b", "tenant_a"},
			{"a\nb", "tenant_a"},
			{"a\x00b", "tenant_a"},
			{"a'b", "tenant_a"},
			{"ä", "tenant_a"},
			{"/tenant_b", "tenant_a"},
		} {
			mark := mode + "mark" + string(rune('a'+i))
			ctx := context.WithValue(in(t, "tenant_a"), requestKey{}, c.id)
			for range 2 {
				_, err := db.Exec(ctx, "select '"+mark+"' from notes")
				require.NoError(t, err)
			}
			require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
				for range 2 { // an assertion of the scope precedes the second one
					if _, err := tx.Exec(ctx, "select current_setting('server_version'), '"+mark+"'"); err != nil {
						return err
					}
				}
				return nil
			}))
			entries := s.about(t, f, mark)
			assert.NotEmpty(t, entries, "%q: nothing in the log", c.id)
			for _, e := range entries {
				assert.Equal(t, c.want, e.app, "id %q: written as %q, want %q: %s", c.id, e.app, c.want, e.text)
			}
		}
	}
}

func testLogBehindPgBouncer(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	url := poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	for name, log := range map[string]schemactx.ServerLog{
		"app": schemactx.ServerLogApplicationName, "comment": schemactx.ServerLogComment,
	} {
		cfg, err := pgxpool.ParseConfig(url)
		require.NoError(t, err)
		db := f.openWith(t, cfg, schemactx.Config{ServerLog: log})
		for _, schema := range []string{"tenant_a", "tenant_b", "tenant_a"} {
			mark := name + "mark" + schema
			require.NoError(t, db.InTx(in(t, schema), func(tx pgx.Tx) error {
				_, err := tx.Exec(in(t, schema), "select '"+mark+" one'")
				return err
			}))
			_, err := db.Exec(in(t, schema), "select '"+mark+" two'")
			require.NoError(t, err)
			expectLogOf(t, s, f, log, name, mark, schema)
		}
	}
}

func TestNewRefusesInvalidServerLogs(t *testing.T) {
	t.Parallel()
	pool := openPool(t, "postgres://nobody@127.0.0.1:1/none", 1)
	id := func(context.Context) string { return "" }
	password := func(context.Context, string) (string, error) { return "", nil }
	for want, cfg := range map[string]schemactx.Config{
		"unknown ServerLog 3":                   {ServerLog: schemactx.ServerLogComment + 1},
		"unknown ServerLog -1":                  {ServerLog: -1},
		"RequestID needs ServerLogApplication":  {RequestID: id},
		"RequestID needs ServerLogApplicationN": {RequestID: id, ServerLog: schemactx.ServerLogComment},
		"at level Logins": {
			RequestID: id, ServerLog: schemactx.ServerLogApplicationName,
			Level: schemactx.Logins, Logins: schemactx.LoginsConfig{Password: password},
		},
	} {
		_, err := schemactx.New(pool, cfg)
		assert.ErrorContains(t, err, want, "got %v, want an error with %q", err, want)
	}
}

// Positions in errors refer to the statement as the caller wrote it, without the comment.
func TestErrorsPointIntoTheCallersStatement(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const sql = "select 'ä', nothing"
	for mode, execMode := range logModes {
		for _, log := range []schemactx.ServerLog{
			schemactx.ServerLogOff, schemactx.ServerLogApplicationName, schemactx.ServerLogComment,
		} {
			db := f.openLogged(t, log, execMode)
			ctx := in(t, "tenant_a")
			_, execErr := db.Exec(ctx, sql)
			b := &pgx.Batch{}
			b.Queue("select 1")
			b.Queue(sql)
			results := db.SendBatch(ctx, b)
			_, _ = results.Exec()
			_, batchErr := results.Exec()
			_ = results.Close()
			txErr := db.InTx(ctx, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "select 1"); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, sql)
				return err
			})
			prepareErr := db.InTx(ctx, func(tx pgx.Tx) error {
				_, err := tx.Prepare(ctx, "p", sql)
				return err
			})
			for what, err := range map[string]error{
				"exec":        execErr,
				"batch":       batchErr,
				"transaction": txErr,
				"prepare":     prepareErr,
			} {
				var pgErr *pgconn.PgError
				if assert.ErrorAs(t, err, &pgErr, "%s, %s, %d", mode, what, log) {
					assert.EqualValues(t, 13, pgErr.Position, "%s, %s, %d: %v", mode, what, log, err)
				}
			}
		}
	}
}
