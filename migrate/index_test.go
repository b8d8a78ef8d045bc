package migrate_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/migrate"
)

// undoable is basic with a Down.
var undoable = map[string]string{
	"00001_notes.sql": basic["00001_notes.sql"],
	"00002_body.sql":  basic["00002_body.sql"] + "\n-- +goose Down\nalter table notes drop body;",
}

// levels are the kinds of index, by name.
var levels = map[string]migrate.Index{"central": migrate.CentralIndex, "watched": migrate.WatchedIndex}

// atEachLevel runs a test with each kind of index.
func atEachLevel(t *testing.T, test func(t *testing.T, level migrate.Index)) {
	t.Parallel()
	for name, level := range levels {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, level)
		})
	}
}

// indexed returns a fixture with tenant_1 to tenant_3, which have two migrations and are in the index, and its runner.
func indexed(t *testing.T, level migrate.Index) (fixture, *migrate.Runner) {
	t.Helper()
	f := setup(t)
	r := f.withIndex(t, level)
	_, err := r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	check(t, err)
	f.expectStates(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
	f.expectEntries(t, 3)
	if level == migrate.WatchedIndex {
		f.expectWatched(t, r, 3)
	}
	return f, r
}

func (f fixture) withIndex(t *testing.T, level migrate.Index) *migrate.Runner {
	t.Helper()
	return f.runnerWith(t, migrate.Config{
		Tenant: []migrate.Source{source("app", undoable)}, Index: level, LockRetries: -1,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
}

// states returns "schema outcome version" of tenant_1 to tenant_3 and of strays.
func states(t *testing.T, r *migrate.Runner) []string {
	t.Helper()
	var got []string
	for s, err := range r.Fleet(t.Context(), migrate.Schemas(names(3)...)) {
		check(t, err)
		got = append(got, fmt.Sprintf("%s %s %d", s.Schema, s.Outcome, s.Version))
	}
	return got
}

func (f fixture) expectStates(t *testing.T, r *migrate.Runner, want ...string) {
	t.Helper()
	if got := states(t, r); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// expectEntries checks how many entries are filled in.
func (f fixture) expectEntries(t *testing.T, want int) {
	t.Helper()
	var n int
	f.scan(t, "select count(*) from pgtenant_index.versions where line is not null and xmin = filled", &n)
	if n != want {
		t.Errorf("%d entries, want %d", n, want)
	}
}

// expectUnread checks that the survey answers without the version tables: it could not read them.
func (f fixture) expectUnread(t *testing.T, r *migrate.Runner, want ...string) {
	t.Helper()
	check(t, pgx.BeginFunc(t.Context(), f.pg.Pool, func(tx pgx.Tx) error {
		for _, name := range names(3) {
			if _, err := tx.Exec(t.Context(), "lock table "+name+".goose_db_version"); err != nil {
				return err
			}
		}
		f.expectStates(t, r, want...)
		return nil
	}))
}

func TestIndexAnswersWithoutTheVersionTables(t *testing.T) {
	atEachLevel(t, testIndexAnswersWithoutTheVersionTables)
}

func testIndexAnswersWithoutTheVersionTables(t *testing.T, level migrate.Index) {
	t.Helper()
	f, r := indexed(t, level)
	f.expectUnread(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
	_, err := r.Down(t.Context(), "tenant_2")
	check(t, err)
	f.expectEntries(t, 2)
	f.expectStates(t, r, "tenant_1 current 2", "tenant_2 behind 1", "tenant_3 current 2")
	f.expectUnread(t, r, "tenant_1 current 2", "tenant_2 behind 1", "tenant_3 current 2")
	report, err := r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	check(t, err)
	expectOutcomes(t, report, "tenant_2 migrated 1 2")
	if report.Current != 2 || f.at(t, 3) != 3 {
		t.Errorf("report %+v", report)
	}
	f.expectStates(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
	f.expectUnread(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")

	other := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", first)}, Index: level})
	f.expectUnread(t, other, "tenant_1 unknown version 2", "tenant_2 unknown version 2", "tenant_3 unknown version 2")
}

// recreate makes the trigger of tenant_2 as the index does.
const recreate = `create trigger pgtenant_index after insert or update or delete on tenant_2.goose_db_version for each row
	execute function pgtenant_index.changed(); alter table tenant_2.goose_db_version enable always trigger pgtenant_index;`

// undo takes the second version of tenant_2 back.
const undo = "delete from tenant_2.goose_db_version where version_id = 2;"

// tampering is what is done to a database by hand, and where the schemas stand then. The trigger sees little of it.
var tampering = map[string]struct {
	sql  string
	want string // of tenant_2, or of several
}{
	"a row deleted":               {undo, "behind 1"},
	"a row changed":               {"update tenant_2.goose_db_version set is_applied = false where version_id = 2", "behind 1"},
	"a row added":                 {"insert into tenant_2.goose_db_version (version_id, is_applied) values (77, true)", "unknown version 77"},
	"rows copied":                 {"create table c as select 100 as id, 77 as version_id, true as is_applied, now() as tstamp; insert into tenant_2.goose_db_version select * from c", "unknown version 77"},
	"merged and rolled back":      {"begin; savepoint a; " + undo + " rollback to a; commit", "current 2"},
	"truncated":                   {"truncate tenant_2.goose_db_version", "behind 0"},
	"truncated as a replica":      {"set session_replication_role = replica; truncate tenant_2.goose_db_version; set session_replication_role = origin", "behind 0"},
	"a row deleted as a replica":  {"set session_replication_role = replica;" + undo + "set session_replication_role = origin", "behind 1"},
	"trigger disabled for a time": {"alter table tenant_2.goose_db_version disable trigger pgtenant_index;" + undo + "alter table tenant_2.goose_db_version enable always trigger pgtenant_index", "behind 1"},
	"all triggers disabled":       {"alter table tenant_2.goose_db_version disable trigger all;" + undo, "behind 1"},
	"trigger for the origin only": {"alter table tenant_2.goose_db_version enable trigger pgtenant_index; set session_replication_role = replica;" + undo + "set session_replication_role = origin", "behind 1"},
	"trigger dropped":             {"drop trigger pgtenant_index on tenant_2.goose_db_version;" + undo, "behind 1"},
	"trigger made again":          {"drop trigger pgtenant_index on tenant_2.goose_db_version;" + undo + recreate, "behind 1"},

	"function replaced": {`create or replace function pgtenant_index.changed() returns trigger language plpgsql security definer
		set search_path = pg_catalog, pg_temp as 'begin return null; end';` + undo, "behind 1"},
	"function replaced and put back": {`do $$ declare was text := pg_get_functiondef('pgtenant_index.changed()'::regprocedure); begin
		create or replace function pgtenant_index.changed() returns trigger language plpgsql security definer
			set search_path = pg_catalog, pg_temp as 'begin return null; end';
		delete from tenant_2.goose_db_version where version_id = 2; execute was; end $$`, "behind 1"},
	"function with other settings": {"alter function pgtenant_index.changed() set session_replication_role = replica;" + undo, "behind 1"},
	"a rule on the index":          {"create rule swallow as on update to pgtenant_index.versions do instead nothing", "current 2"},
	"a trigger on the index": {`create function nothing() returns trigger language plpgsql as 'begin return null; end';
		create trigger swallow before insert or update on pgtenant_index.versions for each row execute function nothing();` + undo, "behind 1"},
	"policies on the index": {"alter table pgtenant_index.versions enable row level security, force row level security;" + undo, "behind 1"},

	"schema renamed": {"alter schema tenant_2 rename to tenant_9", "tenant_1 current 2, tenant_2 missing 0, tenant_3 current 2, tenant_9 stray 0"},
	"schemas swapped": {
		undo + "select pg_sleep(0); alter schema tenant_2 rename to x; alter schema tenant_1 rename to tenant_2; alter schema x rename to tenant_1",
		"tenant_1 behind 1, tenant_2 current 2, tenant_3 current 2",
	},
	"schema dropped": {"drop schema tenant_2 cascade", "missing 0"},
	"table dropped":  {"drop table tenant_2.goose_db_version", "behind 0"},
	"table renamed":  {"alter table tenant_2.goose_db_version rename to other", "behind 0"},
	"table replaced": {"alter table tenant_2.goose_db_version rename to old; create table tenant_2.goose_db_version (like tenant_2.old including all)", "behind 0"},
	"table moved": {
		`alter table tenant_2.goose_db_version set schema public; alter table tenant_1.goose_db_version set schema tenant_2`,
		"tenant_1 behind 0, tenant_2 current 2, tenant_3 current 2",
	},
	"column renamed":   {"alter table tenant_2.goose_db_version rename version_id to v", "bad table 0"},
	"columns swapped":  {"alter table tenant_2.goose_db_version rename version_id to v; alter table tenant_2.goose_db_version rename id to version_id; alter table tenant_2.goose_db_version rename v to id", "unknown version 3"},
	"column replaced":  {"alter table tenant_2.goose_db_version drop version_id, add version_id bigint not null default 1", "behind 1"},
	"column converted": {"alter table tenant_2.goose_db_version alter version_id type bigint using case version_id when 2 then 77 else version_id end", "unknown version 77"},
	"rows of a child":  {"create table child () inherits (tenant_2.goose_db_version); insert into child values (100, 77, true)", "current 2"},
	"rows deleted through a parent": {`create table parent (id int, version_id bigint, is_applied boolean, tstamp timestamp);
		alter table tenant_2.goose_db_version inherit parent; delete from parent where version_id = 2`, "behind 1"},
	"rows deleted through a parent known before": {`drop trigger pgtenant_index on tenant_2.goose_db_version;
		create table parent (id int, version_id bigint, is_applied boolean, tstamp timestamp);
		alter table tenant_2.goose_db_version inherit parent; ` + recreate + "delete from parent where version_id = 2", "behind 1"},

	"restored": {`create table saved as table tenant_2.goose_db_version; drop schema tenant_2 cascade; create schema tenant_2;
		create table tenant_2.goose_db_version (id integer primary key generated by default as identity,
			version_id bigint not null, is_applied boolean not null, tstamp timestamp not null default now());
		insert into tenant_2.goose_db_version select * from saved where version_id < 2;` + recreate, "behind 1"},
	"restored by the trigger's back": {"alter table tenant_2.goose_db_version disable trigger all; delete from tenant_2.goose_db_version;" +
		"insert into tenant_2.goose_db_version (version_id, is_applied) values (0, true), (1, true); alter table tenant_2.goose_db_version enable trigger all", "behind 1"},
	"index restored from before": {"create table saved as table pgtenant_index.versions;" + undo +
		"delete from pgtenant_index.versions; insert into pgtenant_index.versions select * from saved", "behind 1"},
	"index restored and dropped before": {`create table saved as table pgtenant_index.versions; create table saved_lines as table pgtenant_index.lines;
		drop schema pgtenant_index cascade;` + undo + "create schema pgtenant_index; alter table saved set schema pgtenant_index; alter table pgtenant_index.saved rename to versions", "behind 1"},
	"entry edited":       {undo + "update pgtenant_index.versions set line = (select line from pgtenant_index.versions where schema = 'tenant_1') where schema = 'tenant_2'", "behind 1"},
	"entry deleted":      {"delete from pgtenant_index.versions;" + undo, "behind 1"},
	"entries exchanged":  {undo + "update pgtenant_index.versions v set relid = 1 where schema = 'tenant_2'; update pgtenant_index.versions set schema = 'tenant_2' where schema = 'tenant_1'", "behind 1"},
	"a line edited":      {"update pgtenant_index.lines set rows = '{0,1}'", "current 2"},
	"lines lost":         {"truncate pgtenant_index.lines", "current 2"},
	"index dropped":      {"drop schema pgtenant_index cascade;" + undo, "behind 1"},
	"index half dropped": {"drop table pgtenant_index.versions", "current 2"},
	"index of another": {`drop schema pgtenant_index cascade; create schema pgtenant_index;
		create view pgtenant_index.versions as select 1 as x;` + undo, "behind 1"},

	"tables rewritten":      {"vacuum full tenant_2.goose_db_version", "current 2"},
	"tables clustered":      {"cluster tenant_2.goose_db_version using goose_db_version_pkey", "current 2"},
	"catalogs rewritten":    {"vacuum full pg_class; vacuum full pg_trigger; vacuum full pg_attribute; vacuum full pg_namespace; vacuum full pg_proc", "current 2"},
	"index rewritten":       {"vacuum full pgtenant_index.versions", "current 2"},
	"everything frozen":     {"vacuum (freeze) pg_class; vacuum (freeze) pg_trigger; vacuum (freeze) pg_attribute; vacuum (freeze) pg_namespace; vacuum (freeze) pgtenant_index.versions", "current 2"},
	"index granted, forged": {"grant all on pgtenant_index.versions to public; update pgtenant_index.versions set line = null;" + undo, "behind 1"},
}

func TestIndexIsNotBelievedWhenItIsWrong(t *testing.T) {
	atEachLevel(t, testIndexIsNotBelievedWhenItIsWrong)
}

func testIndexIsNotBelievedWhenItIsWrong(t *testing.T, level migrate.Index) {
	t.Helper()
	for name, c := range tampering {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, r := indexed(t, level)
			f.expectAnswersAfter(t, r, c.sql, c.want)
		})
	}
}

// expectAnswersAfter tampers with the database and compares what the index says with what the version tables say.
func (f fixture) expectAnswersAfter(t *testing.T, r *migrate.Runner, sql, wanted string) {
	t.Helper()
	conn, err := f.pg.Pool.Acquire(t.Context())
	check(t, err)
	for _, sql := range statements(sql) {
		if _, err = conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			break
		}
	}
	conn.Release()
	check(t, err)
	want := strings.Split(wanted, ", ")
	if len(want) == 1 {
		want = []string{"tenant_1 current 2", "tenant_2 " + wanted, "tenant_3 current 2"}
	}
	plain := f.runner(t, basic)
	if got := states(t, plain); !slices.Equal(got, want) {
		t.Fatalf("the version tables say\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	f.expectStates(t, r, want...) // the index as it was left
	f.expectStates(t, r, want...) // as it was made again
	f.expectStates(t, r, want...) // as it is believed again
}

// statements parts SQL with VACUUM, which wants to stand alone. The rest is one transaction.
func statements(sql string) []string {
	if strings.Contains(sql, "vacuum") {
		return strings.Split(sql, ";")
	}
	return []string{sql}
}

func TestIndexUnderATransactionThatIsOpen(t *testing.T) {
	atEachLevel(t, testIndexUnderATransactionThatIsOpen)
}

func testIndexUnderATransactionThatIsOpen(t *testing.T, level migrate.Index) {
	t.Helper()
	for _, isolation := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
		t.Run(string(isolation), func(t *testing.T) {
			t.Parallel()
			f, r := indexed(t, level)
			f.exec(t, "update tenant_2.goose_db_version set tstamp = now()") // the entry is to be made again
			tx, err := f.pg.Pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: isolation})
			check(t, err)
			_, err = tx.Exec(t.Context(), undo)
			check(t, err)
			f.expectStates(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
			f.expectStates(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
			check(t, tx.Commit(t.Context()))
			f.expectStates(t, r, "tenant_1 current 2", "tenant_2 behind 1", "tenant_3 current 2")
		})
	}
}

// A transaction whose snapshot is older than the entry cannot take it back: it has to fail.
func TestIndexUnderAnOldSnapshot(t *testing.T) { atEachLevel(t, testIndexUnderAnOldSnapshot) }

func testIndexUnderAnOldSnapshot(t *testing.T, level migrate.Index) {
	t.Helper()
	for _, forget := range []string{"update tenant_2.goose_db_version set tstamp = now()", "delete from pgtenant_index.versions"} {
		t.Run(forget, func(t *testing.T) {
			t.Parallel()
			f, r := indexed(t, level)
			f.exec(t, forget)
			tx, err := f.pg.Pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			check(t, err)
			_, err = tx.Exec(t.Context(), "select from tenant_2.notes")
			check(t, err)
			f.expectStates(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
			f.expectEntries(t, 3)
			_, err = tx.Exec(t.Context(), undo)
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || refused.Code != "40001" {
				t.Errorf("got %v, want a serialization failure", err)
			}
			check(t, tx.Rollback(t.Context()))
			f.expectStates(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
		})
	}
}

func TestIndexIsNotFilledInBehindAChange(t *testing.T) {
	atEachLevel(t, testIndexIsNotFilledInBehindAChange)
}

func testIndexIsNotFilledInBehindAChange(t *testing.T, level migrate.Index) {
	t.Helper()
	f, r := indexed(t, level)
	f.exec(t, "update tenant_1.goose_db_version set tstamp = now(); update tenant_2.goose_db_version set tstamp = now()")
	tx, err := f.pg.Pool.Begin(t.Context())
	check(t, err)
	_, err = tx.Exec(t.Context(), undo)
	check(t, err)
	f.expectStates(t, r, "tenant_1 current 2", "tenant_2 current 2", "tenant_3 current 2")
	f.expectEntries(t, 2) // that of tenant_2 was left alone, and nobody waited for it
	check(t, tx.Commit(t.Context()))
	f.expectStates(t, r, "tenant_1 current 2", "tenant_2 behind 1", "tenant_3 current 2")
	f.expectEntries(t, 3)
}

func TestIndexThatCannotBeMadeIsDoneWithout(t *testing.T) {
	atEachLevel(t, testIndexThatCannotBeMadeIsDoneWithout)
}

func testIndexThatCannotBeMadeIsDoneWithout(t *testing.T, level migrate.Index) {
	t.Helper()
	f := fleet(t, 3)
	f.exec(t, "create role "+f.pg.RolePrefix+"_other login; create schema pgtenant_index authorization "+f.pg.RolePrefix+"_other")
	f.exec(t, "create table pgtenant_index.versions (); alter table pgtenant_index.versions owner to "+f.pg.RolePrefix+"_other")
	var log bytes.Buffer
	r := f.runnerWith(t, migrate.Config{
		Tenant: []migrate.Source{source("app", basic)}, Index: level, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	f.expectStates(t, r, "tenant_1 behind 1", "tenant_2 behind 1", "tenant_3 behind 1")
	if strings.Count(log.String(), "index of versions is not used") != 1 {
		t.Errorf("log: %s", log.String())
	}
	report, err := r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	check(t, err)
	if report.Count(migrate.Migrated) != 3 {
		t.Errorf("report %+v", report)
	}
}

func TestIndexWithRefusedChangesIsNotAsked(t *testing.T) {
	atEachLevel(t, testIndexWithRefusedChangesIsNotAsked)
}

func testIndexWithRefusedChangesIsNotAsked(t *testing.T, level migrate.Index) {
	t.Helper()
	f, _ := indexed(t, level)
	edited := map[string]string{"00001_notes.sql": basic["00001_notes.sql"], "00002_body.sql": "alter table notes add column body text not null;"}
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", edited)}, Index: level, Changed: migrate.Refuse})
	f.expectStates(t, r, "tenant_1 edited 2", "tenant_2 edited 2", "tenant_3 edited 2")
}

func TestIndexConfig(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if _, err := migrate.New(f.pg.Pool, migrate.Config{Index: migrate.WatchedIndex + 1}); err == nil {
		t.Error("unknown index accepted")
	}
}
