package migrate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// texts makes a source of whole files.
func texts(name string, files map[string]string) migrate.Source {
	m := make(fstest.MapFS)
	for file, text := range files {
		m[file] = &fstest.MapFile{Data: []byte(text)}
	}
	return migrate.Source{Name: name, FS: m}
}

// both are three migrations that can be undone.
var both = map[string]string{
	"00001_a.sql": "-- +goose Up\ncreate table a (id int);\n-- +goose Down\ndrop table a;\n",
	"00002_b.sql": "-- +goose Up\ncreate table b (id int);\n-- +goose Down\ndrop table b;\n",
	"00003_c.sql": "-- +goose Up\ncreate table c (id int);\n-- +goose Down\ndrop table c;\n",
}

func (f fixture) tenant(t *testing.T, sources ...migrate.Source) *migrate.Runner {
	t.Helper()
	return f.runnerWith(t, migrate.Config{Tenant: sources})
}

// tables returns the tables of a schema but the version table.
func (f fixture) tables(t *testing.T, schema string) (names string) {
	t.Helper()
	f.scan(t, "select coalesce(string_agg(relname, ' ' order by relname), '') from pg_class where relkind = 'r' and relname <> 'goose_db_version' and relnamespace = '"+schema+"'::regnamespace", &names)
	return names
}

func expectVersions(t *testing.T, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("versions %v, want %v", got, want)
	}
}

func TestUpToDownToAndRedo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	res, err := r.UpTo(t.Context(), "tenant_1", 2)
	check(t, err)
	expectVersions(t, res.Applied, 1, 2)
	if got := f.tables(t, "tenant_1"); got != "a b" {
		t.Errorf("tables %q", got)
	}
	f.exec(t, "insert into tenant_1.b values (1)")
	res, err = r.Redo(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, res.Undone, 2)
	expectVersions(t, res.Applied, 2)
	var left int
	f.scan(t, "select count(*) from tenant_1.b", &left)
	if left != 0 {
		t.Error("redo did not undo")
	}
	check(t, r.Migrate(t.Context(), "tenant_1"))
	res, err = r.Down(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, res.Undone, 3)
	if res.From != 3 || res.To != 2 {
		t.Errorf("result %+v", res)
	}
	res, err = r.DownTo(t.Context(), "tenant_1", 0)
	check(t, err)
	expectVersions(t, res.Undone, 2, 1)
	if got := f.tables(t, "tenant_1"); got != "" {
		t.Errorf("tables %q are left", got)
	}
	for _, again := range []func(context.Context, string) (migrate.Result, error){r.Down, r.Redo} {
		res, err = again(t.Context(), "tenant_1")
		check(t, err)
		expectVersions(t, res.Undone)
	}
	_, err = r.UpTo(t.Context(), "tenant_1", 9)
	expectIs(t, err, migrate.ErrNoMigration)
	_, err = r.DownTo(t.Context(), "tenant_1", -1)
	expectIs(t, err, migrate.ErrNoMigration)
}

func TestDownNeedsADownSectionOfEach(t *testing.T) {
	t.Parallel()
	f := setup(t)
	files := map[string]string{
		"00001_a.sql": both["00001_a.sql"], "00002_b.sql": "-- +goose Up\ncreate table b ();\n", "00003_c.sql": both["00003_c.sql"],
		"00004_d.sql": "-- +goose Up\nselect 1;\n-- +goose Down\n",
	}
	r := f.tenant(t, texts("app", files))
	check(t, r.Migrate(t.Context(), "tenant_1"))
	res, err := r.DownTo(t.Context(), "tenant_1", 0)
	expectIs(t, err, migrate.ErrNoDown)
	expectVersions(t, res.Undone)
	if got := f.tables(t, "tenant_1"); got != "a b c" {
		t.Errorf("tables %q", got)
	}
	res, err = r.Down(t.Context(), "tenant_1") // an empty section undoes nothing, on purpose
	check(t, err)
	expectVersions(t, res.Undone, 4)
}

func TestDownUndoesInTheReverseOrderOfApplication(t *testing.T) {
	t.Parallel()
	f := setup(t)
	library := texts("library", map[string]string{"00100_lib.sql": "-- +goose Up\ncreate table lib ();\n-- +goose Down\ndrop table lib;\n"})
	check(t, f.tenant(t, library).Migrate(t.Context(), "tenant_1"))
	r := f.tenant(t, library, texts("app", both))
	check(t, r.Migrate(t.Context(), "tenant_1"))
	res, err := r.Down(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, res.Undone, 3)
	res, err = r.DownTo(t.Context(), "tenant_1", 1)
	check(t, err)
	expectVersions(t, res.Undone, 2, 100)
}

func TestFailedDownUndoesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	check(t, r.Migrate(t.Context(), "tenant_1"))
	f.exec(t, "drop table tenant_1.b")
	_, err := r.DownTo(t.Context(), "tenant_1", 0)
	var failure *migrate.Error
	if !errors.As(err, &failure) || failure.Version != 2 || failure.Direction != migrate.Down || failure.Line != 4 || failure.SQLState() != "42P01" {
		t.Errorf("got %v", err)
	}
	if got := f.tables(t, "tenant_1"); got != "a c" {
		t.Errorf("tables %q", got)
	}
}

func TestOutOfOrderIsAllowedWhereTheConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	part := map[string]string{"20250103_c.sql": both["00003_c.sql"], "20250101_a.sql": both["00001_a.sql"]}
	check(t, f.tenant(t, texts("app", part)).Migrate(t.Context(), "tenant_1"))
	part["20250102_b.sql"] = both["00002_b.sql"]
	status, err := f.tenant(t, texts("app", part)).Status(t.Context(), "tenant_1")
	check(t, err)
	expectIs(t, status.Err, migrate.ErrOutOfOrder)
	expectVersions(t, status.Versions(migrate.Pending), 20250102)
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{texts("app", part)}, OutOfOrder: migrate.Allow})
	res, err := r.Up(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, res.Applied, 20250102)
}

func TestGoMigrationsRunAmongTheOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"], "00003_c.sql": "-- +goose Up\ninsert into a select id + 1 from a;\n-- +goose Down\n"})
	var schemas []string
	src.Go = []migrate.GoMigration{{
		Version: 2, Name: "fill",
		Up: func(ctx context.Context, tx pgx.Tx) error {
			schema, _ := schemactx.FromContext(ctx)
			schemas = append(schemas, schema)
			_, err := tx.Exec(ctx, "insert into a values ($1)", len(schemas))
			return err
		},
		Down: func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "delete from a")
			return err
		},
	}}
	r := f.tenant(t, src)
	for i, schema := range []string{"tenant_1", "tenant_2"} {
		res, err := r.Up(t.Context(), schema)
		check(t, err)
		expectVersions(t, res.Applied, 1, 2, 3)
		var rows, transactions int
		f.scan(t, "select sum(id) from "+schema+".a", &rows)
		f.scan(t, "select count(distinct xmin::text) from "+schema+".goose_db_version", &transactions)
		if rows != 2*(i+1)+1 || transactions != 1 {
			t.Errorf("%s: sum %d, %d transactions", schema, rows, transactions)
		}
	}
	if !slices.Equal(schemas, []string{"tenant_1", "tenant_2"}) {
		t.Errorf("schemas %q", schemas)
	}
	_, err := r.DownTo(t.Context(), "tenant_1", 1)
	check(t, err)
	var rows int
	f.scan(t, "select count(*) from tenant_1.a", &rows)
	if rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
	for _, m := range r.Migrations() {
		if (m.Kind == migrate.KindGo) != (m.Checksum == "") || m.Set != migrate.TenantSet || !m.Transaction {
			t.Errorf("described as %+v", m)
		}
	}
}

func TestGoMigrationThatFailsUndoesAll(t *testing.T) {
	t.Parallel()
	f := setup(t)
	broken := errors.New("broken")
	for name, up := range map[string]func(ctx context.Context, tx pgx.Tx) error{
		"error":    func(context.Context, pgx.Tx) error { return broken },
		"rollback": func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
		"commit":   func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
		"swallowed": func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, "select 1/0")
			return nil
		},
	} {
		src := texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"]})
		src.Go = []migrate.GoMigration{{Version: 2, Name: name, Up: up}}
		res, err := f.tenant(t, src).Up(t.Context(), "tenant_1")
		var failure *migrate.Error
		if !errors.As(err, &failure) || failure.Version != 2 || failure.Statement != 0 || failure.File != "00002_"+name+".go" {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "error" {
			expectIs(t, err, broken)
		} else if name != "swallowed" {
			expectIs(t, err, migrate.ErrTransactionEnded)
		}
		expectVersions(t, res.Applied)
		if got := f.tables(t, "tenant_1"); got != "" {
			t.Errorf("%s: tables %q are left", name, got)
		}
	}
}

func TestGoMigrationThatCommitsByHandIsFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := migrate.Source{Name: "app", Go: []migrate.GoMigration{{Version: 1, Name: "x", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "commit")
		if err == nil {
			_, err = tx.Exec(ctx, "begin")
		}
		return err
	}}}}
	expectIs(t, f.tenant(t, src).Migrate(t.Context(), "tenant_1"), migrate.ErrTransactionEnded)
	var versions int
	f.scan(t, "select count(*) from tenant_1.goose_db_version where version_id > 0", &versions)
	if versions != 0 {
		t.Error("it was written down")
	}
}

func TestGoMigrationWithoutATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"], "00003_c.sql": both["00003_c.sql"]})
	src.Go = []migrate.GoMigration{{
		Version: 2, Name: "index",
		UpNoTx: func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "create index concurrently a_id on a (id)")
			return err
		},
		DownNoTx: func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "drop index concurrently a_id")
			return err
		},
	}}
	r := f.tenant(t, src)
	res, err := r.Up(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, res.Applied, 1, 2, 3)
	res, err = r.DownTo(t.Context(), "tenant_1", 1)
	check(t, err)
	expectVersions(t, res.Undone, 3, 2)
	var there bool
	f.scan(t, "select to_regclass('tenant_1.a_id') is not null", &there)
	if there {
		t.Error("the index is left")
	}

	src.Go[0].UpNoTx = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "begin")
		return err
	}
	var failure *migrate.Error
	if err := f.tenant(t, src).Migrate(t.Context(), "tenant_2"); !errors.As(err, &failure) {
		t.Errorf("a transaction that was left open: %v", err)
	}
}

func TestRedoWithoutATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := texts("app", map[string]string{
		"00001_a.sql": "-- +goose NO TRANSACTION\n-- +goose Up\ncreate table a (id int);\n-- +goose Down\ndrop table a;\n",
	})
	for _, lock := range []migrate.Lock{migrate.LockAdvisory, migrate.LockSession} {
		r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{src}, Lock: lock})
		check(t, r.Migrate(t.Context(), "tenant_1"))
		res, err := r.Redo(t.Context(), "tenant_1")
		check(t, err)
		expectVersions(t, res.Undone, 1)
		expectVersions(t, res.Applied, 1)
	}
}

// Each migration begins with the settings of its schema, whatever the one before has set.
func TestSettingsOfAMigrationEndWithIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.pg.RolePrefix + "_other"
	f.exec(t, "create role "+role+"; create schema elsewhere; grant all on schema elsewhere to "+role)
	files := map[string]string{
		"00001_a.sql": "set local search_path to elsewhere;\nset local work_mem = '123kB';\nset local time zone 'Asia/Tokyo';\nset local role " + role + ";\ncreate table moved ();",
		"00002_b.sql": "create table b as select current_user as who, current_setting('work_mem') as mem, current_setting('TimeZone') as zone;",
		"00003_c.sql": "do $$ begin perform set_config('search_path', 'elsewhere', true); perform set_config('role', '" + role + "', true); end $$;",
		"00004_d.sql": "create table d ();",
	}
	check(t, f.runner(t, files).Migrate(t.Context(), "tenant_1"))
	if got := f.tables(t, "tenant_1"); got != "b d" {
		t.Errorf("tables %q", got)
	}
	var same bool
	f.scan(t, "select who = current_user and mem = current_setting('work_mem') and zone = current_setting('TimeZone') from tenant_1.b", &same)
	if !same {
		t.Error("role, work_mem or time zone stayed")
	}
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg := migrate.Config{Tenant: []migrate.Source{source("app", map[string]string{"00001_a.sql": "select pg_sleep(60);"})}, StatementTimeout: 20 * time.Millisecond}
	err := f.runnerWith(t, cfg).Migrate(t.Context(), "tenant_1")
	var failure *migrate.Error
	if !errors.As(err, &failure) || failure.SQLState() != "57014" {
		t.Errorf("got %v", err)
	}
}

func TestEachLockKeepsRunnersApart(t *testing.T) {
	t.Parallel()
	for _, lock := range []migrate.Lock{migrate.LockAdvisory, migrate.LockSession, migrate.LockTable} {
		f := setup(t)
		files := map[string]string{"00001_a.sql": "create table a (id int);\nselect pg_sleep(0.05);", "00002_b.sql": "insert into a values (1);"}
		cfg := migrate.Config{Tenant: []migrate.Source{source("app", files)}, Lock: lock}
		results := make(chan error)
		for range 6 {
			go func() { results <- f.runnerWith(t, cfg).Migrate(context.Background(), "tenant_1") }()
		}
		for range 6 {
			if err := <-results; err != nil {
				t.Errorf("lock %d: %v", lock, err)
			}
		}
		var rows, locks int
		f.scan(t, "select count(*) from tenant_1.a", &rows)
		f.scan(t, "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())", &locks)
		if rows != 1 || locks != 0 {
			t.Errorf("lock %d: applied %d times, %d locks left", lock, rows, locks)
		}
	}
}

func TestTableLockRefusesWhatNeedsASession(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := source("app", map[string]string{"00001_a.sql": "create table a ();", "00002_b.sql": "-- +goose NO TRANSACTION\nselect 1;"})
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{src}, Lock: migrate.LockTable})
	expectIs(t, r.Migrate(t.Context(), "tenant_1"), migrate.ErrNeedsSession)
	if got := f.tables(t, "tenant_1"); got != "" {
		t.Errorf("tables %q", got)
	}
	_, err := r.UpTo(t.Context(), "tenant_1", 1)
	check(t, err)
}

func TestNoTransactionIsNotRunTwiceForALock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create table tenant_1.a (id int)")
	tx, err := f.pg.Pool.Begin(t.Context())
	check(t, err)
	_, err = tx.Exec(t.Context(), "lock table tenant_1.a")
	check(t, err)
	src := source("app", map[string]string{"00001_b.sql": "-- +goose NO TRANSACTION\ncreate table b ();\nalter table a add b int;"})
	cfg := migrate.Config{Tenant: []migrate.Source{src}, LockTimeout: 10 * time.Millisecond}
	err = f.runnerWith(t, cfg).Migrate(t.Context(), "tenant_1")
	var failure *migrate.Error
	if !errors.As(err, &failure) || failure.Statement != 2 || failure.SQLState() != "55P03" {
		t.Errorf("got %v", err)
	}
	check(t, tx.Rollback(t.Context()))
}

func TestPlanIsWhatIsSent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "alter default privileges in schema tenant_1 grant select on tables to public")
	r := f.tenant(t, texts("app", both))
	plan, err := r.PlanUp(t.Context(), "tenant_1", migrate.Newest)
	check(t, err)
	var files []string
	for _, c := range plan.Migrations() {
		files = append(files, c.File+" "+c.SQL)
	}
	if want := []string{"00001_a.sql create table a (id int);", "00002_b.sql create table b (id int);", "00003_c.sql create table c (id int);"}; !slices.Equal(files, want) {
		t.Errorf("planned %q", files)
	}
	var script strings.Builder
	_, err = plan.WriteTo(&script)
	check(t, err)
	if got := f.tables(t, "tenant_1"); got != "" {
		t.Fatalf("planning made %q", got)
	}
	_, err = f.pg.Pool.Exec(t.Context(), script.String(), pgx.QueryExecModeSimpleProtocol)
	check(t, err)
	if !strings.Contains(script.String(), `revoke all on "tenant_1"."goose_db_version" from public`) {
		t.Errorf("no revoke in\n%s", script.String())
	}
	status, err := r.Status(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, status.Versions(migrate.Applied, migrate.Changed), 1, 2, 3)
	plan, err = r.PlanUp(t.Context(), "tenant_1", migrate.Newest)
	if err != nil || len(plan.Calls) != 0 {
		t.Errorf("nothing is pending, planned %+v, %v", plan, err)
	}
	plan, err = r.PlanDown(t.Context(), "tenant_1", 0)
	if err != nil || len(plan.Migrations()) != 3 || plan.Migrations()[0].SQL != "drop table c;" {
		t.Errorf("planned %+v, %v", plan, err)
	}
}
