package migrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// first is the first migration of basic.
var first = map[string]string{"00001_notes.sql": basic["00001_notes.sql"]}

// names returns tenant_1 to tenant_n.
func names(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("tenant_%d", i+1))
	}
	return all
}

// fleet is a fixture with n schemas that have the first migration of basic.
func fleet(t *testing.T, n int) fixture {
	t.Helper()
	f := setup(t)
	for _, name := range names(n) {
		f.exec(t, "create schema if not exists "+name)
	}
	_, err := f.runner(t, first).UpAll(t.Context(), migrate.Schemas(names(n)...), migrate.UpAllOptions{})
	check(t, err)
	return f
}

// outcomes returns "schema outcome from to" of each result.
func outcomes(report migrate.Report) []string {
	var all []string
	for _, res := range report.Results {
		all = append(all, fmt.Sprintf("%s %s %d %d", res.Schema, res.Outcome, res.From, res.To))
	}
	return all
}

func expectOutcomes(t *testing.T, report migrate.Report, want ...string) {
	t.Helper()
	if got := outcomes(report); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// at returns how many schemas have the column of the second migration, and checks that the version tables say the same
// and nothing twice.
func (f fixture) at(t *testing.T, n int) int {
	t.Helper()
	migrated := 0
	for _, name := range names(n) {
		var column bool
		var rows, notes int
		f.scan(t, fmt.Sprintf(`select exists (select from pg_attribute where attrelid = to_regclass('%[1]s.notes') and attname = 'body'),
			(select count(*) from %[1]s.goose_db_version where version_id = 2), (select count(*) from %[1]s.notes)`, name), &column, &rows, &notes)
		if column != (rows == 1) || rows > 1 || notes != 1 {
			t.Errorf("%s: column %t, %d rows for version 2, %d notes", name, column, rows, notes)
		}
		if column {
			migrated++
		}
	}
	return migrated
}

func TestUpAllGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create table tenant_2.notes ()")
	r := f.runner(t, basic)
	list := migrate.Schemas("tenant_1", "tenant_2", "tenant_9", "tenant_3", "tenant_1", "Tenant", "public")
	report, err := r.UpAll(t.Context(), list, migrate.UpAllOptions{Workers: 2})
	expectIs(t, err, migrate.ErrIncomplete)
	expectOutcomes(t, report, "tenant_1 migrated 0 2", "tenant_2 failed 0 0", "tenant_9 missing 0 0", "tenant_3 migrated 0 2",
		"Tenant failed 0 0", "public failed 0 0")
	var nameErr *schemactx.NameError
	if len(report.Failed()) != 4 || report.Listed != 6 || report.Current != 0 || !errors.As(report.Results[5].Err, &nameErr) {
		t.Errorf("report %+v", report)
	}
	if report.ExitCode() != migrate.ExitFailed {
		t.Errorf("exit code %d", report.ExitCode())
	}
	f.exec(t, "drop table tenant_2.notes; create schema tenant_9")
	all := migrate.Schemas("tenant_1", "tenant_2", "tenant_9", "tenant_3")
	report, err = r.UpAll(t.Context(), all, migrate.UpAllOptions{})
	check(t, err)
	expectOutcomes(t, report, "tenant_2 migrated 0 2", "tenant_9 migrated 0 2")
	report, err = r.UpAll(t.Context(), all, migrate.UpAllOptions{})
	check(t, err)
	if report.Current != 4 || len(report.Results) != 0 || report.ExitCode() != migrate.ExitOK {
		t.Errorf("third report %+v", report)
	}

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	report, err = r.UpAll(cancelled, all, migrate.UpAllOptions{})
	expectIs(t, err, context.Canceled)
	if report.ExitCode() != migrate.ExitIncomplete {
		t.Errorf("exit code %d after a cancel", report.ExitCode())
	}
	_, err = r.UpAll(t.Context(), migrate.Schemas(), migrate.UpAllOptions{SkipShared: true})
	check(t, err)
}

func TestFleetTellsWhereEachSchemaStands(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for i := 4; i <= 12; i++ {
		f.exec(t, fmt.Sprintf("create schema tenant_%d", i))
	}
	newer := f.runner(t, map[string]string{"00001_notes.sql": basic["00001_notes.sql"], "00002_body.sql": "select 1;", "00003_new.sql": "select 1;"})
	check(t, f.runner(t, basic).Migrate(t.Context(), "tenant_1"))
	check(t, f.runner(t, first).Migrate(t.Context(), "tenant_2"))
	check(t, newer.Migrate(t.Context(), "tenant_4"))
	check(t, f.runner(t, map[string]string{"00002_body.sql": "select 1;"}).Migrate(t.Context(), "tenant_5"))
	check(t, f.runner(t, basic).Migrate(t.Context(), "tenant_12"))
	f.exec(t, `create table tenant_6.goose_db_version (id int);
		create view tenant_7.goose_db_version as select 1;
		create table tenant_8.goose_db_version (id text, version_id text, is_applied text, tstamp text);
		insert into tenant_8.goose_db_version values ('id', 'version_id', 'is_applied', 'tstamp');
		create table tenant_9.goose_db_version (id serial, version_id numeric, is_applied boolean, tstamp date);
		insert into tenant_9.goose_db_version (version_id, is_applied) values (1, true);
		create table tenant_10.goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp);
		insert into tenant_10.goose_db_version (version_id, is_applied) values (1, true), (2, true), (2, false);
		create table tenant_11.goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp)`)
	f.exec(t, "create schema stray; create table stray.goose_db_version ()")
	var got []string
	for st, err := range f.runner(t, basic).Fleet(t.Context(), migrate.Schemas(append(names(12), "tenant_99")...)) {
		check(t, err)
		got = append(got, fmt.Sprintf("%s %s %d %v", st.Schema, st.Outcome, st.Version, st.Pending))
		if (st.Err != nil) != !slices.Contains([]migrate.Outcome{migrate.Current, migrate.Behind, migrate.Stray}, st.Outcome) {
			t.Errorf("%s: %v", st.Schema, st.Err)
		}
	}
	want := []string{
		"tenant_1 current 2 []", "tenant_2 behind 1 [2]", "tenant_3 behind 0 [1 2]", "tenant_4 unknown version 3 []",
		"tenant_5 out of order 2 []", "tenant_6 bad table 0 []", "tenant_7 bad table 0 []", "tenant_8 bad table 0 []",
		"tenant_9 behind 1 [2]", "tenant_10 behind 1 [2]", "tenant_11 behind 0 [1 2]", "tenant_12 current 2 []",
		"tenant_99 missing 0 []", "stray stray 0 []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for st, err := range f.runner(t, basic).Fleet(t.Context(), migrate.Schemas(names(3)...)) {
		check(t, err)
		if st.Schema != "tenant_1" {
			t.Errorf("went on to %s", st.Schema)
		}
		break
	}
}

func TestEachKindOfTroubleHasItsOutcomeAndStopsNobody(t *testing.T) {
	t.Parallel()
	f := fleet(t, 6)
	f.exec(t, "insert into tenant_2.goose_db_version (version_id, is_applied) values (9, true)")
	f.exec(t, "alter table tenant_3.goose_db_version drop column is_applied; drop schema tenant_4 cascade; drop table tenant_5.goose_db_version, tenant_5.notes")
	f.exec(t, "create schema stray; create table stray.goose_db_version ()")
	report, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(6)...), migrate.UpAllOptions{})
	expectIs(t, err, migrate.ErrIncomplete)
	expectOutcomes(t, report, "tenant_1 migrated 1 2", "tenant_2 unknown version 9 9", "tenant_3 bad table 0 0", "tenant_4 missing 0 0",
		"tenant_5 migrated 0 2", "tenant_6 migrated 1 2", "stray stray 0 0")
	for _, outcome := range []migrate.Outcome{migrate.UnknownVersion, migrate.BadTable, migrate.Missing} {
		if report.Count(outcome) != 1 {
			t.Errorf("%d with %s", report.Count(outcome), outcome)
		}
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	r := f.runner(t, basic)
	list := migrate.Schemas(names(3)...)
	for _, opts := range []migrate.UpAllOptions{
		{Workers: -1}, {Limit: -1}, {StopAfter: -1}, {PerTransaction: -1}, {PerTransaction: 11}, {Canary: migrate.Canary{Count: -1}},
	} {
		_, err := r.UpAll(t.Context(), list, opts)
		var optionErr *migrate.OptionError
		if !errors.As(err, &optionErr) || optionErr.Option == "" {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	for _, opts := range []migrate.UpAllOptions{
		{Only: []string{"tenant_1", "tenant_7"}}, {Canary: migrate.Canary{Schemas: []string{"tenant_7"}}},
	} {
		_, err := r.UpAll(t.Context(), list, opts)
		var unlisted *migrate.UnlistedError
		if !errors.As(err, &unlisted) || unlisted.Schema != "tenant_7" {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	if n := f.at(t, 3); n != 0 {
		t.Errorf("%d schemas were migrated", n)
	}
}

func TestOnlyExceptLimitAndOrder(t *testing.T) {
	t.Parallel()
	f := fleet(t, 8)
	r := f.runner(t, basic)
	list := migrate.Schemas(names(8)...)
	report, err := r.UpAll(t.Context(), list, migrate.UpAllOptions{Only: []string{"tenant_2", "tenant_4"}, Except: []string{"tenant_4"}})
	check(t, err)
	expectOutcomes(t, report, "tenant_2 migrated 1 2")

	var started []string
	report, err = r.UpAll(t.Context(), list, migrate.UpAllOptions{
		Except: []string{"tenant_8"}, Limit: 2, Workers: 1,
		Order: func(a, b string) int { return strings.Compare(b, a) },
		Events: func(e migrate.Event) {
			if e.Kind == migrate.EventStarted {
				started = append(started, e.Schema)
			}
		},
	})
	expectIs(t, err, migrate.ErrLimit)
	if !slices.Equal(started, []string{"tenant_7", "tenant_6"}) {
		t.Errorf("started %v", started)
	}
	if report.Count(migrate.NotStarted) != 4 || report.Count(migrate.Migrated) != 2 || report.ExitCode() != migrate.ExitIncomplete {
		t.Errorf("report %v, exit code %d", outcomes(report), report.ExitCode())
	}
	for _, res := range report.Results {
		if res.Outcome == migrate.NotStarted {
			expectIs(t, res.Err, migrate.ErrNotStarted)
		}
	}
	if n := f.at(t, 8); n != 3 {
		t.Errorf("%d schemas are migrated", n)
	}
}

func TestStopAfterFailures(t *testing.T) {
	t.Parallel()
	f := fleet(t, 6)
	f.exec(t, "alter table tenant_2.notes add column body text; alter table tenant_3.notes add column body text")
	report, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(6)...), migrate.UpAllOptions{Workers: 1, StopAfter: 2})
	expectIs(t, err, migrate.ErrStopAfter)
	expectOutcomes(t, report, "tenant_1 migrated 1 2", "tenant_2 failed 1 1", "tenant_3 failed 1 1",
		"tenant_4 not started 1 1", "tenant_5 not started 1 1", "tenant_6 not started 1 1")
	if report.ExitCode() != migrate.ExitFailed {
		t.Errorf("exit code %d", report.ExitCode())
	}
}

func TestSyntaxErrorStopsAtTheCanary(t *testing.T) {
	t.Parallel()
	f := fleet(t, 6)
	broken := map[string]string{"00001_notes.sql": basic["00001_notes.sql"], "00002_body.sql": "\nalter table notes ad column body text;"}
	list := migrate.Schemas(names(6)...)
	var before string
	f.scan(t, "select string_agg(c.xmin::text || c.oid::text, ',' order by c.oid) from pg_class c where relname = 'notes'", &before)
	for _, canary := range []migrate.Canary{{Count: 1}, {Schemas: []string{"tenant_1"}}} {
		report, err := f.runner(t, broken).UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary, Workers: 3})
		var canaryErr *migrate.CanaryError
		var failure *migrate.Error
		if !errors.As(err, &canaryErr) || !errors.As(err, &failure) || failure.SQLState() != "42601" || failure.Line != 3 {
			t.Errorf("got %v", err)
		}
		expectOutcomes(t, report, "tenant_1 failed 1 1", "tenant_2 not started 1 1", "tenant_3 not started 1 1",
			"tenant_4 not started 1 1", "tenant_5 not started 1 1", "tenant_6 not started 1 1")
	}
	var after string
	f.scan(t, "select string_agg(c.xmin::text || c.oid::text, ',' order by c.oid) from pg_class c where relname = 'notes'", &after)
	if n := f.at(t, 6); n != 0 || after != before {
		t.Errorf("%d schemas are migrated; tables were touched: %t", n, after != before)
	}
}

func TestCanaryIsCheckedBeforeTheRest(t *testing.T) {
	t.Parallel()
	f := fleet(t, 5)
	r := f.runner(t, basic)
	list := migrate.Schemas(names(5)...)
	wrong := errors.New("the site is down")
	canary := migrate.Canary{Count: 1, Schemas: []string{"tenant_3"}, Check: func(_ context.Context, canaries migrate.Report) error {
		expectOutcomes(t, canaries, "tenant_1 migrated 1 2", "tenant_3 migrated 1 2")
		if n := f.at(t, 5); n != 2 {
			t.Errorf("%d are migrated when the canaries are checked", n)
		}
		return wrong
	}}
	report, err := r.UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary, Workers: 1})
	expectIs(t, err, wrong)
	if report.Count(migrate.NotStarted) != 3 {
		t.Errorf("report %v", outcomes(report))
	}
	// Run again, the named canary is current; what it stands for is checked all the same.
	canary.Count, canary.Check = 0, func(_ context.Context, canaries migrate.Report) error { return wrong }
	_, err = r.UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary})
	expectIs(t, err, wrong)
	canary.Check = func(context.Context, migrate.Report) error { return nil }
	_, err = r.UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary})
	check(t, err)
	if n := f.at(t, 5); n != 5 {
		t.Errorf("%d schemas are migrated", n)
	}
}

func TestSharedSetComesFirstAndItsFailureStopsEverything(t *testing.T) {
	t.Parallel()
	f := fleet(t, 2)
	shared := map[string]string{"00001_plans.sql": "create table plans (id int);", "00002_bad.sql": "insert into nowhere values (1);"}
	cfg := migrate.Config{Shared: []migrate.Source{source("platform", shared)}, Tenant: []migrate.Source{source("app", basic)}}
	list := migrate.Schemas(names(2)...)
	report, err := f.runnerWith(t, cfg).UpAll(t.Context(), list, migrate.UpAllOptions{})
	var sharedErr *migrate.SharedError
	if !errors.As(err, &sharedErr) || report.ExitCode() != migrate.ExitFailed {
		t.Errorf("got %v", err)
	}
	expectOutcomes(t, report, "public failed 0 0")
	if n := f.at(t, 2); n != 0 {
		t.Errorf("%d schemas are migrated", n)
	}
	report, err = f.runnerWith(t, cfg).UpAll(t.Context(), migrate.Schemas("tenant_1"), migrate.UpAllOptions{SkipShared: true})
	check(t, err)
	expectOutcomes(t, report, "tenant_1 migrated 1 2", "tenant_2 stray 0 0")
	delete(shared, "00002_bad.sql")
	cfg.Shared = []migrate.Source{source("platform", shared)}
	report, err = f.runnerWith(t, cfg).UpAll(t.Context(), list, migrate.UpAllOptions{})
	check(t, err)
	expectOutcomes(t, report, "public migrated 0 1", "tenant_2 migrated 1 2")
}

func TestTenantsMadeDuringTheRunEndUpCurrent(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	var made atomic.Int32
	list := func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, name := range names(3 + int(made.Load())) {
				if !yield(name, nil) {
					return
				}
			}
		}
	}
	older := f.runner(t, first)
	report, err := f.runner(t, basic).UpAll(t.Context(), list, migrate.UpAllOptions{Workers: 1, Events: func(e migrate.Event) {
		if e.Kind == migrate.EventFinished && made.Load() < 3 {
			name := names(3 + int(made.Load()) + 1)[3+made.Load()]
			f.exec(t, "create schema "+name)
			check(t, older.Migrate(t.Context(), name))
			made.Add(1)
		}
	}})
	check(t, err)
	if n := f.at(t, 6); n != 6 || len(report.Results) != 6 {
		t.Errorf("%d schemas are migrated, report %v", n, outcomes(report))
	}
	broken := errors.New("the registry is away")
	_, err = f.runner(t, basic).UpAll(t.Context(), func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) { yield("", broken) }
	}, migrate.UpAllOptions{})
	expectIs(t, err, broken)
}

func TestSchemasPerTransaction(t *testing.T) {
	t.Parallel()
	f := fleet(t, 23)
	f.exec(t, "alter table tenant_7.notes add column body text")
	report, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(23)...), migrate.UpAllOptions{PerTransaction: 10, Workers: 2})
	expectIs(t, err, migrate.ErrIncomplete)
	if report.Count(migrate.Migrated) != 22 || len(report.Failed()) != 1 || report.Failed()[0].Schema != "tenant_7" {
		t.Errorf("report %v", outcomes(report))
	}
	f.exec(t, "alter table tenant_7.notes drop column body")
	_, err = f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(23)...), migrate.UpAllOptions{PerTransaction: 10})
	check(t, err)
	if n := f.at(t, 23); n != 23 {
		t.Errorf("%d schemas are migrated", n)
	}
	var transactions int // of the group in which nothing failed
	f.scan(t, "select count(distinct x::text) from (values "+strings.Join(subqueries(names(20)[10:]), ", ")+") v (x)", &transactions)
	if transactions != 1 {
		t.Errorf("%d transactions", transactions)
	}
}

func subqueries(schemas []string) []string {
	var parts []string
	for _, s := range schemas {
		parts = append(parts, fmt.Sprintf("((select xmin from %s.goose_db_version where version_id = 2))", s))
	}
	return parts
}

func TestTwoFleetsAtOnceApplyOnce(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]migrate.Lock{"advisory": migrate.LockAdvisory, "session": migrate.LockSession, "table": migrate.LockTable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fleet(t, 20)
			var wg sync.WaitGroup
			var migrated atomic.Int32
			for i := range 4 {
				pool, err := pgxpool.New(t.Context(), f.pg.URL)
				check(t, err)
				defer pool.Close()
				r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}, Lock: lock})
				check(t, err)
				opts := migrate.UpAllOptions{Workers: 3, PerTransaction: 1 + i*3}
				if i == 1 {
					opts.Order = func(a, b string) int { return strings.Compare(b, a) }
				}
				wg.Go(func() {
					report, err := r.UpAll(t.Context(), migrate.Schemas(names(20)...), opts)
					if err != nil || report.Current+report.Count(migrate.Migrated) != 20 {
						t.Errorf("%v %v", err, outcomes(report))
					}
					migrated.Add(int32(report.Count(migrate.Migrated)))
				})
			}
			wg.Wait()
			if n := f.at(t, 20); n != 20 || migrated.Load() != 20 {
				t.Errorf("%d schemas are migrated, %d times in all", n, migrated.Load())
			}
		})
	}
}

func TestPoolOfOneConnection(t *testing.T) {
	t.Parallel()
	f := fleet(t, 70)
	f.exec(t, "alter table tenant_7.notes add column body text")
	for _, connections := range []string{"1", "2"} {
		pool, err := pgxpool.New(t.Context(), f.pg.URL+"&pool_max_conns="+connections)
		check(t, err)
		defer pool.Close()
		r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", basic)}})
		check(t, err)
		report, err := r.UpAll(t.Context(), migrate.Schemas(names(70)...), migrate.UpAllOptions{Limit: 35})
		expectIs(t, err, migrate.ErrIncomplete)
		if report.Count(migrate.Failed) != 1 || report.Count(migrate.Migrated) < 34 {
			t.Errorf("%s", report.Summary())
		}
		var prepared int
		check(t, pool.QueryRow(t.Context(), "select count(*) from pg_prepared_statements where name like 'pgtenant%'").Scan(&prepared))
		if prepared != 0 {
			t.Errorf("%d statements are left on the connection", prepared)
		}
	}
}

func TestFleetOfGoAndNoTransactionMigrations(t *testing.T) {
	t.Parallel()
	f := fleet(t, 5)
	src := source("app", map[string]string{
		"00001_notes.sql": basic["00001_notes.sql"],
		"00002_body.sql":  "set local work_mem = '123kB';\nalter table notes add column body text;",
		"00003_index.sql": "-- +goose NO TRANSACTION\ncreate index concurrently if not exists notes_body on notes (body);",
	})
	src.Go = []migrate.GoMigration{{Version: 4, Name: "fill", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update notes set body = current_schema()")
		return err
	}}}
	report, err := f.tenant(t, src).UpAll(t.Context(), migrate.Schemas(names(5)...), migrate.UpAllOptions{PerTransaction: 5})
	check(t, err)
	for _, name := range names(5) {
		var body string
		f.scan(t, "select body from "+name+".notes", &body)
		if body != name {
			t.Errorf("%s: %q", name, body)
		}
	}
	if report.Count(migrate.Migrated) != 5 || !slices.Equal(report.Results[0].Applied, []int64{2, 3, 4}) {
		t.Errorf("report %+v", report.Results)
	}
}

func TestChecksumsOfAFleetAreKept(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	f.exec(t, "comment on table tenant_3.goose_db_version is 'mine'")
	_, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{PerTransaction: 3})
	check(t, err)
	edited := map[string]string{"00001_notes.sql": "select 1;", "00002_body.sql": "select 2;"}
	for name, want := range map[string]int{"tenant_1": 2, "tenant_2": 2, "tenant_3": 0} {
		status, err := f.runner(t, edited).Status(t.Context(), name)
		check(t, err)
		if n := len(status.Versions(migrate.Changed)); n != want {
			t.Errorf("%s: %d of 2 files are known to be edited", name, n)
		}
		if at := status.Migrations[1].AppliedAt; time.Since(at).Abs() > time.Minute {
			t.Errorf("%s: applied at %v", name, at)
		}
	}
	cfg := migrate.Config{Tenant: []migrate.Source{source("app", edited)}, Changed: migrate.Refuse}
	report, err := f.runnerWith(t, cfg).UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
	expectIs(t, err, migrate.ErrChanged)
	expectOutcomes(t, report, "tenant_1 edited 2 2", "tenant_2 edited 2 2")
}

func TestRightsOnTheVersionTableAreTakenAgain(t *testing.T) {
	t.Parallel()
	f := fleet(t, 2)
	role := f.pg.RolePrefix + "_tenant"
	f.exec(t, fmt.Sprintf("create role %[1]s; grant insert on tenant_1.goose_db_version to %[1]s", role))
	_, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(2)...), migrate.UpAllOptions{PerTransaction: 2})
	check(t, err)
	var granted bool
	f.scan(t, fmt.Sprintf("select has_table_privilege('%s', 'tenant_1.goose_db_version', 'insert')", role), &granted)
	if n := f.at(t, 2); granted || n != 2 {
		t.Errorf("granted %t, %d migrated", granted, n)
	}
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	f.exec(t, "alter table tenant_2.notes add column body text")
	report, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(append(names(3), "tenant_9")...), migrate.UpAllOptions{})
	expectIs(t, err, migrate.ErrIncomplete)
	text, err := json.Marshal(report)
	check(t, err)
	var doc struct {
		OK       bool
		ExitCode int `json:"exit_code"`
		Listed   int
		Counts   map[string]int
		Results  []struct {
			Schema, Outcome string
			From, To        int64
			Applied         []int64
			Seconds         float64
			Error           struct {
				Message, File, SQLState string
				Version                 int64
				Statement, Line         int
			}
		}
	}
	check(t, json.Unmarshal(text, &doc))
	if doc.OK || doc.ExitCode != 1 || doc.Listed != 4 || doc.Counts["migrated"] != 2 || doc.Counts["missing"] != 1 || len(doc.Results) != 4 {
		t.Errorf("%s", text)
	}
	failed := doc.Results[1]
	if failed.Schema != "tenant_2" || failed.Outcome != "failed" || failed.Error.SQLState != "42701" || failed.Error.File != "00002_body.sql" ||
		failed.Error.Version != 2 || failed.Error.Statement != 1 || failed.Error.Line != 2 || failed.Error.Message == "" || failed.Seconds <= 0 {
		t.Errorf("%+v", failed)
	}
	if migrated := doc.Results[0]; !slices.Equal(migrated.Applied, []int64{2}) || migrated.Outcome != "migrated" || migrated.From != 1 || migrated.To != 2 {
		t.Errorf("%+v", migrated)
	}
}

func TestProgressComesToAnEnd(t *testing.T) {
	t.Parallel()
	f := fleet(t, 5)
	f.exec(t, "alter table tenant_2.notes add column body text")
	var last migrate.Progress
	var running atomic.Int32
	kinds := make(map[migrate.EventKind]int)
	_, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(5)...), migrate.UpAllOptions{Events: func(e migrate.Event) {
		if running.Add(1) != 1 {
			t.Error("two events at once")
		}
		if e.Progress.Done < last.Done || e.Progress.Done > e.Progress.Total {
			t.Errorf("%+v after %+v", e.Progress, last)
		}
		last = e.Progress
		kinds[e.Kind]++
		running.Add(-1)
	}})
	expectIs(t, err, migrate.ErrIncomplete)
	if last.Done != 5 || last.Total != 5 || last.Failed != 1 || last.Rate() <= 0 || last.ETA() != 0 {
		t.Errorf("last %+v", last)
	}
	if kinds[migrate.EventStarted] != 5 || kinds[migrate.EventFinished] != 5 || kinds[migrate.EventPlanned] != 1 {
		t.Errorf("events %v", kinds)
	}
	halfway := migrate.Progress{Total: 30, Done: 10, Elapsed: 5 * time.Second}
	if halfway.Rate() != 2 || halfway.ETA() != 10*time.Second {
		t.Errorf("%v a second, %v to go", halfway.Rate(), halfway.ETA())
	}
	if none := (migrate.Progress{}); none.Rate() != 0 || none.ETA() != 0 {
		t.Errorf("nothing: %v a second, %v to go", none.Rate(), none.ETA())
	}
}
