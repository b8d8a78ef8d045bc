package schemactx_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// fakes are statements with which tenant_a tries to have log lines written in tenant_b's name.
var fakes = []string{
	"select 'fake', set_config('application_name', 'tenant_b', true)",
	"select 'fake', set_config('application_name', 'tenant_b', false)",
	"update pg_settings set setting = 'tenant_b' where name = 'application_name' and 'fake' = 'fake'",
	"set application_name = 'tenant_b'; select 'fake'",
	"set local application_name to tenant_b /* fake */",
	"reset application_name /* fake */",
	"do $$ begin perform 'fake'; set application_name = 'tenant_b'; end $$",
	"/*schema='tenant_b'*/ select 'fake'",
	"*/ /*schema='tenant_b'*/ select 'fake'",
	"select 'fake' /* */ /*schema='tenant_b'*/",
	"select 'fake\n2026-11-23 22:50:11.000 UTC [1]: user=u,db=d,app=tenant_b,client=::1 LOG:  execute fake: select 1'",
	"-- \r\n2026-11-23 22:50:11.000 UTC [1]: user=u,db=d,app=tenant_b,client=::1 LOG:  fake\nselect 'fake'",
}

// evilNames try to end the comment or the name.
var evilNames = []string{"a'*/ select 'fake' --", "a*/", "a'", "a,client=b", "a\nb", "*/", "A"}

func testLogCannotBeFaked(t *testing.T, s *loggingServer) {
	for name, log := range map[string]schemactx.ServerLog{
		"app": schemactx.ServerLogApplicationName, "comment": schemactx.ServerLogComment,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := s.setup(t)
			_, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
			require.NoError(t, err)
			for mode, execMode := range logModes {
				db := f.openLogged(t, log, execMode)
				ctx := in(t, "tenant_a")
				for _, sql := range fakes {
					_, _ = db.Exec(ctx, sql)
					_ = db.InTx(ctx, func(tx pgx.Tx) error {
						_, err := tx.Exec(ctx, sql)
						if err == nil {
							_, err = tx.Exec(ctx, "select 'fake', 'in the transaction'")
						}
						return err
					})
					b := &pgx.Batch{}
					b.Queue(sql)
					b.Queue("select 'fake', 'in the batch'")
					_ = db.SendBatch(ctx, b).Close()
					_, err := db.Exec(ctx, "select 'fake', 'afterwards'")
					require.NoError(t, err)
				}
				for _, name := range evilNames {
					_, err := db.Exec(schemactx.NewContext(t.Context(), name), "select 'fake'")
					assert.Error(t, err, "%s: a schema %q", mode, name)
				}
			}
			expectNoFake(t, s, f, log)
		})
	}
}

func expectNoFake(t *testing.T, s *loggingServer, f *fixture, log schemactx.ServerLog) {
	t.Helper()
	seen := 0
	for _, e := range s.about(t, f, "fake") {
		if log == schemactx.ServerLogComment && (e.severity == "ERROR" || e.severity == "DETAIL") {
			continue
		}
		seen++
		got := ofTenant(e, log)
		assert.Equal(t, "tenant_a", got, "written as %q's: %+v", got, e)
	}
	assert.NotZero(t, seen, "nothing in the log")
}

// Without Harden a statement can change its name in the log, for the lines during and after it. The
// tenant's next statement in a transaction is refused, and outside of one has the right name again.
// The comment cannot be changed.
func testLogMisledByTheUnhardened(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	s.onlySlow(t, f)
	ctx := in(t, "tenant_a")
	for _, local := range []string{"true", "false"} {
		fake := "select 'fake', set_config('application_name', 'tenant_b', " + local + ")"
		db := f.openLogged(t, schemactx.ServerLogApplicationName, pgx.QueryExecModeCacheStatement)
		_, err := db.Exec(ctx, fake)
		require.NoError(t, err)
		_, err = db.Exec(ctx, "select 'afterwards'")
		require.NoError(t, err)
		assert.ErrorIs(t, db.InTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, fake); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "select 'inside'")
			return err
		}), schemactx.ErrScopeChanged)
		b := &pgx.Batch{}
		b.Queue(fake)
		b.Queue("select 'inside'")
		assert.ErrorIs(t, db.SendBatch(ctx, b).Close(), schemactx.ErrScopeChanged)
		assert.ErrorIs(t, db.InTx(ctx, func(tx pgx.Tx) error { // it neither commits nor stays in the session
			_, err := tx.Exec(ctx, fake)
			return err
		}), schemactx.ErrScopeChanged)
		var left int
		require.NoError(
			t,
			f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = $1 and application_name = "+
				"'tenant_b'",
				f.pg.Name).
				Scan(&left),
		)
		assert.Equal(t, 0, left, "%d sessions are named for good", left)
	}
	misled := 0
	for _, e := range s.entries(t, f) {
		switch {
		case e.app != "tenant_b":
		case strings.Contains(e.text, "fake"):
			misled++
		case strings.Contains(e.text, "afterwards"), strings.Contains(e.text, "inside") && e.severity == "LOG":
			t.Errorf("written as tenant_b's: %+v", e)
		}
	}
	assert.NotZero(t, misled, "no line is written as tenant_b's: the documentation says that some are")
	db := f.openLogged(t, schemactx.ServerLogComment, pgx.QueryExecModeCacheStatement)
	_, err := db.Exec(ctx, "select 'commented', set_config('application_name', 'tenant_b', true)")
	require.NoError(t, err)
	for _, e := range s.about(t, f, "commented") {
		assert.Equal(t, "tenant_a", ofTenant(e, schemactx.ServerLogComment), "written as %+v", e)
	}
}

// Every role of the server can read the name of a session, as it can read names of schemas, but not
// its statements.
func testLogShowsNames(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	for log, want := range map[schemactx.ServerLog]int{
		schemactx.ServerLogApplicationName: 1, schemactx.ServerLogComment: 0,
	} {
		db := f.openLogged(t, log, pgx.QueryExecModeExec)
		b := in(t, "tenant_b")
		require.NoError(t, db.InTx(b, func(tx pgx.Tx) error {
			if _, err := tx.Exec(b, "select 'secret of b'"); err != nil {
				return err
			}
			var names, queries int
			err := f.db.QueryRow(in(t, "tenant_a"), `select count(*) filter (where application_name = 'tenant_b'),
				count(*) filter (where query like '%secret of b%' or query like '%schema=''tenant_b''%')
				from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`).Scan(&names, &queries)
			assert.Equal(t, want, names, "%d: tenant a sees %d names and %d queries, want %d and 0", log, names, queries, want)
			assert.Equal(t, 0, queries, "%d: tenant a sees %d names and %d queries, want", log, names, queries)
			return err
		}))
	}
}
