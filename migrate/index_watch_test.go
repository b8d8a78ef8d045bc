package migrate_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
)

const allCurrent = "tenant_1 current 2, tenant_2 current 2, tenant_3 current 2"

// expectWatched looks until so many entries are believed without the catalog: others in the database may keep a watch from counting.
func (f fixture) expectWatched(t *testing.T, r *migrate.Runner, want int) {
	t.Helper()
	var n int
	for range 100 {
		f.scan(t, "select count(*) from pgtenant_index.versions v join pgtenant_index.watch w on w.id = v.watch where w.ripe and v.xmin = v.filled", &n)
		if n == want {
			return
		}
		states(t, r)
	}
	t.Fatalf("%d entries are watched, want %d", n, want)
}

// spoil makes the proof of all entries wrong, so that they are believed under a watch or not at all.
const spoil = "update pgtenant_index.versions set class = '(0,0)', filled = pg_current_xact_id()::xid where line is not null"

func TestAWatchedIndexAnswersWithoutTheCatalog(t *testing.T) {
	t.Parallel()
	f, r := indexed(t, migrate.WatchedIndex)
	f.exec(t, spoil)
	want := strings.Split(allCurrent, ", ")
	f.expectUnread(t, r, want...)
	f.exec(t, "alter table tenant_2.notes add column another int; create schema other; create table other.x (); drop table other.x")
	f.expectUnread(t, r, want...) // which is nobody's concern
	f.exec(t, "create schema tenant_4; create table tenant_4.goose_db_version (like tenant_1.goose_db_version including all)")
	f.expectUnread(t, r, append(want, "tenant_4 stray 0")...)
}

// interruptions are what ends a watch.
var interruptions = map[string]string{
	"nothing":                        "",
	"altering not watched":           "alter event trigger pgtenant_index_altered disable",
	"dropping not watched":           "alter event trigger pgtenant_index_dropped disable",
	"not in a replica":               "alter event trigger pgtenant_index_altered enable",
	"not watched for a moment":       "alter event trigger pgtenant_index_altered disable; alter event trigger pgtenant_index_altered enable always",
	"event trigger dropped":          "drop event trigger pgtenant_index_dropped",
	"event trigger renamed":          "alter event trigger pgtenant_index_altered rename to other",
	"event trigger owned by another": "create role %[1]s_other superuser; alter event trigger pgtenant_index_altered owner to %[1]s_other",
	"event trigger for less": `drop event trigger pgtenant_index_altered; create event trigger pgtenant_index_altered on ddl_command_end when tag in ('ALTER VIEW')
		execute function pgtenant_index.altered(); alter event trigger pgtenant_index_altered enable always`,
	"function replaced": "create or replace function pgtenant_index.altered() returns event_trigger language plpgsql as 'begin end'",
	"function changed":  "alter function pgtenant_index.dropped() set session_replication_role = replica",
	"notes truncated":   "truncate pgtenant_index.changes",
	"notes replaced":    "drop table pgtenant_index.changes; create table pgtenant_index.changes (object oid, at xid8 default pg_current_xact_id(), primary key (object, at))",
	"notes given away":  "create role %[1]s_reader; grant delete on pgtenant_index.changes to %[1]s_reader",
	"configuration":     "select pg_reload_conf()",
	"the watch edited":  "update pgtenant_index.watch set proof = proof || ' '",
	"the watch forgot":  "delete from pgtenant_index.watch",
	"another watch":     "update pgtenant_index.watch set id = gen_random_uuid()",
}

func TestAWatchThatWasInterruptedIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, sql := range interruptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, r := indexed(t, migrate.WatchedIndex)
			if sql == "select pg_reload_conf()" && f.sharesItsServer(t) {
				t.Skip("the server is not only ours")
			}
			if strings.Contains(sql, "%[1]s") {
				sql = fmt.Sprintf(sql, f.pg.RolePrefix)
			}
			// A wrong version that only the watch would let pass: the entry's proof is its own.
			f.exec(t, "create table saved as select line from pgtenant_index.versions; "+spoil)
			if sql != "" {
				f.exec(t, sql)
			}
			var before, after string
			f.scan(t, "select coalesce(min(id::text), '') from pgtenant_index.watch", &before)
			states(t, r)
			f.scan(t, "select coalesce(min(id::text), '') from pgtenant_index.watch", &after)
			if (before == after) != (name == "nothing" || name == "another watch") {
				t.Errorf("watch %q became %q", before, after)
			}
			f.expectWatched(t, r, 3)
			f.expectStates(t, r, strings.Split(allCurrent, ", ")...)
			f.expectAnswersAfter(t, r, "alter schema tenant_2 rename to tenant_9", "tenant_1 current 2, tenant_2 missing 0, tenant_3 current 2, tenant_9 stray 0")
		})
	}
}

// sharesItsServer reports whether others may be at work on the server.
func (f fixture) sharesItsServer(t *testing.T) bool {
	t.Helper()
	var n int
	f.scan(t, "select count(distinct datname) from pg_stat_activity where datname like 'pgtest%' and datname <> current_database()", &n)
	return n > 0
}

// unwatched is done where the watch does not see it, or could be thought not to see it.
var unwatched = map[string]struct{ sql, want string }{
	"renamed as a replica": {
		"set session_replication_role = replica; alter schema tenant_2 rename to tenant_9; set session_replication_role = origin",
		"tenant_1 current 2, tenant_2 missing 0, tenant_3 current 2, tenant_9 stray 0",
	},
	"renamed while not watched": {
		"alter event trigger pgtenant_index_altered disable; alter schema tenant_2 rename to tenant_9; alter event trigger pgtenant_index_altered enable always",
		"tenant_1 current 2, tenant_2 missing 0, tenant_3 current 2, tenant_9 stray 0",
	},
	"dropped while not watched": {
		"alter event trigger pgtenant_index_dropped disable; drop table tenant_2.goose_db_version; alter event trigger pgtenant_index_dropped enable always",
		"behind 0",
	},
	"renamed by the function's back": {`do $$ declare was text := pg_get_functiondef('pgtenant_index.altered()'::regprocedure); begin
		create or replace function pgtenant_index.altered() returns event_trigger language plpgsql security definer
			set search_path = pg_catalog, pg_temp as 'begin end';
		alter schema tenant_2 rename to tenant_9; execute was; end $$`, "tenant_1 current 2, tenant_2 missing 0, tenant_3 current 2, tenant_9 stray 0"},
	"tables swapped": {
		undo + `create schema x; alter table tenant_2.goose_db_version set schema x; alter table tenant_1.goose_db_version set schema tenant_2;
			alter table x.goose_db_version set schema tenant_1; drop schema x`,
		"tenant_1 behind 1, tenant_2 current 2, tenant_3 current 2",
	},
	"renamed as an index": {"alter index tenant_2.goose_db_version rename to other", "behind 0"},
	"made with its schema": {
		`drop schema tenant_2 cascade; create schema tenant_2 create table goose_db_version (id integer primary key generated by default as identity,
			version_id bigint not null, is_applied boolean not null, tstamp timestamp not null default now())`,
		"behind 0",
	},
	"column renamed later through a parent": {
		`create table parent (id int, version_id bigint, is_applied boolean, tstamp timestamp);
			alter table tenant_2.goose_db_version inherit parent; commit; select 1; alter table parent rename version_id to v`,
		"bad table 0",
	},
	"column gone with its domain": {
		"create domain d as bigint; alter table tenant_2.goose_db_version alter version_id type d; commit; drop domain d cascade",
		"bad table 0",
	},
	"rows lost in a crash": {"alter table tenant_2.goose_db_version set unlogged", "current 2"},
	"dropped with its owner": {
		"create role %[1]s_owner; alter table tenant_2.goose_db_version owner to %[1]s_owner; commit; drop owned by %[1]s_owner", "behind 0",
	},
	"trigger dropped as another": {
		"alter trigger pgtenant_index on tenant_2.goose_db_version rename to x; commit; drop trigger x on tenant_2.goose_db_version; " + undo, "behind 1",
	},
	"both triggers dropped": {
		"drop trigger pgtenant_index on tenant_2.goose_db_version; drop trigger pgtenant_index_truncate on tenant_2.goose_db_version; " + undo, "behind 1",
	},
	"truncated behind the trigger": {
		"alter table tenant_2.goose_db_version disable trigger pgtenant_index_truncate; truncate tenant_2.goose_db_version; " +
			"alter table tenant_2.goose_db_version enable always trigger pgtenant_index_truncate",
		"behind 0",
	},
	"truncated with a parent": {
		`create table parent (id int, version_id bigint, is_applied boolean, tstamp timestamp);
			alter table tenant_2.goose_db_version inherit parent; commit; truncate parent`,
		"behind 0",
	},
	"a note lost": {"create table saved as table pgtenant_index.changes; alter schema tenant_2 rename to tenant_9; alter schema tenant_9 rename to tenant_2;" + undo, "behind 1"},
}

func TestAWatchedIndexIsNotBelievedWhenItIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range unwatched {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, r := indexed(t, migrate.WatchedIndex)
			if strings.Contains(c.sql, "%[1]s") {
				c.sql = fmt.Sprintf(c.sql, f.pg.RolePrefix)
			}
			f.expectAnswersAfter(t, r, c.sql, c.want)
		})
	}
}

// The command names the parent only, and so does one that renames a column of both.
func TestAWatchSeesATableThatBecomesAPartition(t *testing.T) {
	t.Parallel()
	f, r := indexed(t, migrate.WatchedIndex)
	f.exec(t, "alter table tenant_2.goose_db_version alter id drop identity") // a partition may have none
	f.expectStates(t, r, strings.Split(allCurrent, ", ")...)
	f.expectWatched(t, r, 3)
	f.expectAnswersAfter(t, r, `
		create table parent (id int not null, version_id bigint not null, is_applied boolean not null, tstamp timestamp not null) partition by list (version_id);
		alter table parent attach partition tenant_2.goose_db_version default; alter table parent rename version_id to v`, "bad table 0")
}

func TestAWatchSeesATableThatMovesWithAnExtension(t *testing.T) {
	t.Parallel()
	f, r := indexed(t, migrate.WatchedIndex)
	var there bool
	f.scan(t, "select exists (select from pg_available_extensions where name = 'hstore')", &there)
	if !there {
		t.Skip("no extension to move")
	}
	f.expectAnswersAfter(t, r, `create schema moved; create extension hstore schema tenant_2;
		alter extension hstore add table tenant_2.goose_db_version; commit; alter extension hstore set schema moved`,
		"tenant_1 current 2, tenant_2 behind 0, tenant_3 current 2, moved stray 0")
}

// A rule keeps notes from being written; the table tells of it until it is vacuumed.
func TestAWatchWhoseNotesAreSwallowedIsNotBelieved(t *testing.T) {
	t.Parallel()
	f, r := indexed(t, migrate.WatchedIndex)
	f.expectAnswersAfter(t, r, `create rule swallow as on insert to pgtenant_index.changes do instead nothing;
		alter schema tenant_2 rename to tenant_9; drop rule swallow on pgtenant_index.changes`,
		"tenant_1 current 2, tenant_2 missing 0, tenant_3 current 2, tenant_9 stray 0")
}

func TestAWatchSeesWhatIsCommittedWhenItIs(t *testing.T) {
	t.Parallel()
	f, r := indexed(t, migrate.WatchedIndex)
	tx, err := f.pg.Pool.Begin(t.Context())
	check(t, err)
	_, err = tx.Exec(t.Context(), "alter schema tenant_2 rename to tenant_9")
	check(t, err)
	f.expectUnread(t, r, strings.Split(allCurrent, ", ")...)
	check(t, tx.Commit(t.Context()))
	f.expectStates(t, r, "tenant_1 current 2", "tenant_2 missing 0", "tenant_3 current 2", "tenant_9 stray 0")
}

// A transaction that had begun before the watch has not told of its rename: what is read meanwhile counts for nothing.
func TestAWatchDoesNotCountBeforeOlderTransactionsHaveEnded(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"commit", "prepare transaction"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			f, _ := indexed(t, migrate.CentralIndex)
			var prepared bool
			f.scan(t, "select current_setting('max_prepared_transactions')::int > 0", &prepared)
			if end != "commit" && !prepared {
				t.Skip("max_prepared_transactions is 0")
			}
			conn, err := f.pg.Pool.Acquire(t.Context())
			check(t, err)
			defer conn.Release()
			_, err = conn.Exec(t.Context(), "begin; alter schema tenant_2 rename to tenant_9", pgx.QueryExecModeSimpleProtocol)
			check(t, err)
			r := f.withIndex(t, migrate.WatchedIndex)
			for range 3 {
				f.expectStates(t, r, strings.Split(allCurrent, ", ")...)
			}
			gid := "'" + f.pg.Name + "'"
			if end != "commit" {
				_, err = conn.Exec(t.Context(), end+" "+gid)
				check(t, err)
				for range 3 {
					f.expectStates(t, r, strings.Split(allCurrent, ", ")...)
				}
				end = "commit prepared " + gid
			}
			_, err = conn.Exec(t.Context(), end)
			check(t, err)
			want := []string{"tenant_1 current 2", "tenant_2 missing 0", "tenant_3 current 2", "tenant_9 stray 0"}
			f.expectStates(t, r, want...)
			f.expectWatched(t, r, 2)
			f.expectStates(t, r, want...)
		})
	}
}

func TestNotesOfAWatchAreForgotten(t *testing.T) {
	t.Parallel()
	f, r := indexed(t, migrate.WatchedIndex)
	for range 60 {
		f.exec(t, "alter table tenant_2.goose_db_version set (fillfactor = 90)")
	}
	f.exec(t, undo)
	want := []string{"tenant_1 current 2", "tenant_2 behind 1", "tenant_3 current 2"}
	for range 3 {
		f.expectStates(t, r, want...)
	}
	f.expectWatched(t, r, 3)
	f.expectUnread(t, r, want...)
	var n int
	f.scan(t, "select count(*) from pgtenant_index.changes", &n)
	if n >= 50 {
		t.Errorf("%d notes are kept", n)
	}
}

func TestAnIndexThatCannotBeWatchedIsACentralOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.pg.RolePrefix + "_owner"
	f.exec(t, "create role "+role+" login password 'x'; grant create on database "+f.pg.Name+" to "+role)
	for _, name := range names(3) {
		f.exec(t, "drop schema if exists "+name+"; create schema "+name+" authorization "+role)
	}
	pool, err := pgxpool.New(t.Context(), f.pg.URLAs(role, "x"))
	check(t, err)
	defer pool.Close()
	copied := *f.pg
	copied.Pool = pool
	other := fixture{&copied}
	var log bytes.Buffer
	r := other.runnerWith(t, migrate.Config{
		Tenant: []migrate.Source{source("app", undoable)}, Index: migrate.WatchedIndex, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	_, err = r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	check(t, err)
	want := strings.Split(allCurrent, ", ")
	other.expectStates(t, r, want...)
	f.expectEntries(t, 3)
	if !strings.Contains(log.String(), "index of versions is not watched") {
		t.Errorf("log: %s", log.String())
	}
	f.expectUnread(t, r, want...)
	f.exec(t, undo)
	other.expectStates(t, r, "tenant_1 current 2", "tenant_2 behind 1", "tenant_3 current 2")
	check(t, r.DropIndex(t.Context()))
}

func TestEventTriggersThatAreSwitchedOffAreNotTrusted(t *testing.T) {
	t.Parallel()
	if pgtest.Version(t) < 17 {
		t.Skip("cannot be switched off before PostgreSQL 17")
	}
	f, r := indexed(t, migrate.WatchedIndex)
	f.exec(t, spoil)
	f.exec(t, "alter database "+f.pg.Name+" set event_triggers = off")
	f.pg.Pool.Reset()
	want := "tenant_1 current 2, tenant_2 missing 0, tenant_3 current 2, tenant_9 stray 0"
	f.expectAnswersAfter(t, r, "alter schema tenant_2 rename to tenant_9", want)
}
