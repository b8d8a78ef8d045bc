package migrate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/migrate"
)

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
	expectOutcomes(t, report, "public failed 0 1") // its first file stays
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
	expectOutcomes(t, report, "tenant_2 migrated 1 2")
}

func TestFleetOutOfOrder(t *testing.T) {
	t.Parallel()
	f := setup(t)
	list := migrate.Schemas(names(3)...)
	files := map[string]string{"20240101_a.sql": "create table a ();", "20240301_c.sql": "create table c ();"}
	_, err := f.runner(t, files).UpAll(t.Context(), list, migrate.UpAllOptions{})
	check(t, err)
	files["20240201_b.sql"] = "create table b ();" // of a branch that was merged late
	_, err = f.runner(t, files).UpAll(t.Context(), list, migrate.UpAllOptions{})
	expectIs(t, err, migrate.ErrOutOfOrder)
	if got := f.tables(t, "tenant_1"); got != "a c" {
		t.Errorf("refused, and there are the tables %q", got)
	}
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", files)}, OutOfOrder: migrate.Allow})
	_, err = r.UpAll(t.Context(), list, migrate.UpAllOptions{PerTransaction: 2})
	check(t, err)
	for _, name := range names(3) {
		if got := f.tables(t, name); got != "a b c" {
			t.Errorf("%s has the tables %q", name, got)
		}
	}
	for st, err := range f.runner(t, files).Fleet(t.Context(), list) {
		check(t, err)
		if st.Outcome != migrate.Current || st.Version != 20240301 {
			t.Errorf("%+v", st)
		}
	}
}
