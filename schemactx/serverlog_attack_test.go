package schemactx_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// fakes are statements by which tenant a tries to have something written down as b's.
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

// names that are to break out of the comment or of the name.
var evilNames = []string{"a'*/ select 'fake' --", "a*/", "a'", "a,client=b", "a\nb", "*/", "A"}

func testLogCannotBeFaked(t *testing.T, s *loggingServer) {
	for name, log := range map[string]schemactx.ServerLog{
		"app": schemactx.ServerLogApplicationName, "comment": schemactx.ServerLogComment,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := s.setup(t)
			_, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
			check(t, err)
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
					check(t, err)
				}
				for _, name := range evilNames {
					if _, err := db.Exec(schemactx.NewContext(t.Context(), name), "select 'fake'"); err == nil {
						t.Errorf("%s: a schema %q", mode, name)
					}
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
		if got := ofTenant(e, log); got != "tenant_a" {
			t.Errorf("written as %q's: %+v", got, e)
		}
	}
	if seen == 0 {
		t.Error("nothing in the log")
	}
}

// Without Harden a statement can name itself: the lines that are written while it runs, and after it. What the tenant
// runs next is refused in a transaction, and named anew outside of one; and its comment it cannot change.
func testLogMisledByTheUnhardened(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	s.onlySlow(t, f)
	ctx := in(t, "tenant_a")
	for _, local := range []string{"true", "false"} {
		fake := "select 'fake', set_config('application_name', 'tenant_b', " + local + ")"
		db := f.openLogged(t, schemactx.ServerLogApplicationName, pgx.QueryExecModeCacheStatement)
		_, err := db.Exec(ctx, fake)
		check(t, err)
		_, err = db.Exec(ctx, "select 'afterwards'")
		check(t, err)
		expectIs(t, db.InTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, fake); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "select 'inside'")
			return err
		}), schemactx.ErrScopeChanged)
		b := &pgx.Batch{}
		b.Queue(fake)
		b.Queue("select 'inside'")
		expectIs(t, db.SendBatch(ctx, b).Close(), schemactx.ErrScopeChanged)
		expectIs(t, db.InTx(ctx, func(tx pgx.Tx) error { // nor does it commit, or stay with the session
			_, err := tx.Exec(ctx, fake)
			return err
		}), schemactx.ErrScopeChanged)
		var left int
		check(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = $1 and application_name = 'tenant_b'",
			f.pg.Name).Scan(&left))
		if left != 0 {
			t.Errorf("%d sessions are named for good", left)
		}
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
	if misled == 0 {
		t.Error("no line is written as tenant_b's: the documentation says that some are")
	}
	db := f.openLogged(t, schemactx.ServerLogComment, pgx.QueryExecModeCacheStatement)
	_, err := db.Exec(ctx, "select 'commented', set_config('application_name', 'tenant_b', true)")
	check(t, err)
	for _, e := range s.about(t, f, "commented") {
		if ofTenant(e, schemactx.ServerLogComment) != "tenant_a" {
			t.Errorf("written as %+v", e)
		}
	}
}

// The name of a session is for every role of the server to read, as the names of schemas are; its statements are not.
func testLogShowsNames(t *testing.T, s *loggingServer) {
	f := s.setup(t)
	for log, want := range map[schemactx.ServerLog]int{schemactx.ServerLogApplicationName: 1, schemactx.ServerLogComment: 0} {
		db := f.openLogged(t, log, pgx.QueryExecModeExec)
		b := in(t, "tenant_b")
		check(t, db.InTx(b, func(tx pgx.Tx) error {
			if _, err := tx.Exec(b, "select 'secret of b'"); err != nil {
				return err
			}
			var names, queries int
			err := f.db.QueryRow(in(t, "tenant_a"), `select count(*) filter (where application_name = 'tenant_b'),
				count(*) filter (where query like '%secret of b%' or query like '%schema=''tenant_b''%')
				from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`).Scan(&names, &queries)
			if names != want || queries != 0 {
				t.Errorf("%d: tenant a sees %d names and %d queries, want %d and 0", log, names, queries, want)
			}
			return err
		}))
	}
}
