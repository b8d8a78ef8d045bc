package migrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	r := f.Runner(t, basic)
	list := migrate.Schemas(names(3)...)
	for _, opts := range []migrate.UpAllOptions{
		{Workers: -1},
		{Limit: -1},
		{StopAfter: -1},
		{PerTransaction: -1},
		{PerTransaction: 11},
		{Canary: migrate.Canary{Count: -1}},
	} {
		_, err := r.UpAll(t.Context(), list, opts)
		var optionErr *migrate.OptionError
		if assert.ErrorAs(t, err, &optionErr, opts) {
			assert.NotEmpty(t, optionErr.Option, opts)
		}
	}
	for _, opts := range []migrate.UpAllOptions{
		{Only: []string{"tenant_1", "tenant_7"}}, {Canary: migrate.Canary{Schemas: []string{"tenant_7"}}},
	} {
		_, err := r.UpAll(t.Context(), list, opts)
		var unlisted *migrate.UnlistedError
		if assert.ErrorAs(t, err, &unlisted, opts) {
			assert.Equal(t, "tenant_7", unlisted.Schema, opts)
		}
	}
	assert.Equal(t, 0, f.at(t, 3), "schemas were migrated")
}

func TestOnlyExceptLimitAndOrder(t *testing.T) {
	t.Parallel()
	f := fleet(t, 8)
	r := f.Runner(t, basic)
	list := migrate.Schemas(names(8)...)
	report, err := r.UpAll(
		t.Context(),
		list,
		migrate.UpAllOptions{Only: []string{"tenant_2", "tenant_4"}, Except: []string{"tenant_4"}},
	)
	require.NoError(t, err)
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
	assert.ErrorIs(t, err, migrate.ErrLimit)
	assert.Equal(t, []string{"tenant_7", "tenant_6"}, started)
	assert.Equal(t, 4, report.Count(migrate.NotStarted), "report %v", outcomes(report))
	assert.Equal(t, 2, report.Count(migrate.Migrated), "report %v", outcomes(report))
	assert.Equal(t, migrate.ExitIncomplete, report.ExitCode(), "report %v", outcomes(report))
	for _, res := range report.Results {
		if res.Outcome == migrate.NotStarted {
			assert.ErrorIs(t, res.Err, migrate.ErrNotStarted)
		}
	}
	assert.Equal(t, 3, f.at(t, 8), "schemas are migrated")
}

func TestStopAfterFailures(t *testing.T) {
	t.Parallel()
	f := fleet(t, 6)
	f.Exec(t, "alter table tenant_2.notes add column body text; alter table tenant_3.notes add column body text")
	report, err := f.Runner(t, basic).
		UpAll(t.Context(), migrate.Schemas(names(6)...), migrate.UpAllOptions{Workers: 1, StopAfter: 2})
	assert.ErrorIs(t, err, migrate.ErrStopAfter)
	expectOutcomes(t, report, "tenant_1 migrated 1 2", "tenant_2 failed 1 1", "tenant_3 failed 1 1",
		"tenant_4 not started 1 1", "tenant_5 not started 1 1", "tenant_6 not started 1 1")
	assert.Equal(t, migrate.ExitFailed, report.ExitCode(), "exit code")
}

func TestSyntaxErrorStopsAtTheCanary(t *testing.T) {
	t.Parallel()
	f := fleet(t, 6)
	broken := map[string]string{
		"00001_notes.sql": basic["00001_notes.sql"],
		"00002_body.sql":  "\nalter table notes ad column body text;",
	}
	list := migrate.Schemas(names(6)...)
	var before string
	f.Scan(
		t,
		"select string_agg(c.xmin::text || c.oid::text, ',' order by c.oid) from pg_class c where relname = 'notes'",
		&before,
	)
	for _, canary := range []migrate.Canary{{Count: 1}, {Schemas: []string{"tenant_1"}}} {
		report, err := f.Runner(t, broken).UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary, Workers: 3})
		var canaryErr *migrate.CanaryError
		var failure *migrate.Error
		if assert.ErrorAs(t, err, &canaryErr) &&
			assert.ErrorAs(t, err, &failure) &&
			assert.Equal(t, "42601", failure.SQLState()) {
			assert.Equal(t, 3, failure.Line)
		}
		expectOutcomes(t, report, "tenant_1 failed 1 1", "tenant_2 not started 1 1", "tenant_3 not started 1 1",
			"tenant_4 not started 1 1", "tenant_5 not started 1 1", "tenant_6 not started 1 1")
	}
	var after string
	f.Scan(
		t,
		"select string_agg(c.xmin::text || c.oid::text, ',' order by c.oid) from pg_class c where relname = 'notes'",
		&after,
	)
	n := f.at(t, 6)
	assert.Equal(t, 0, n, "%d schemas are migrated; tables were touched: %t", n, after != before)
	assert.Equal(t, before, after, "%d schemas are migrated; tables were touched: %t", n, after != before)
}

func TestCanaryIsCheckedBeforeTheRest(t *testing.T) {
	t.Parallel()
	f := fleet(t, 5)
	r := f.Runner(t, basic)
	list := migrate.Schemas(names(5)...)
	wrong := errors.New("the site is down")
	canary := migrate.Canary{
		Count:   1,
		Schemas: []string{"tenant_3"},
		Check: func(_ context.Context, canaries migrate.Report) error {
			expectOutcomes(t, canaries, "tenant_1 migrated 1 2", "tenant_3 migrated 1 2")
			assert.Equal(t, 2, f.at(t, 5), "are migrated when the canaries are checked")
			return wrong
		},
	}
	report, err := r.UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary, Workers: 1})
	assert.ErrorIs(t, err, wrong)
	assert.Equal(t, 3, report.Count(migrate.NotStarted), "report %v", outcomes(report))
	// In the next run the named canary is current, and the check runs all the same.
	canary.Count, canary.Check = 0, func(_ context.Context, canaries migrate.Report) error { return wrong }
	_, err = r.UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary})
	assert.ErrorIs(t, err, wrong)
	canary.Check = func(context.Context, migrate.Report) error { return nil }
	_, err = r.UpAll(t.Context(), list, migrate.UpAllOptions{Canary: canary})
	require.NoError(t, err)
	assert.Equal(t, 5, f.at(t, 5), "schemas are migrated")
}

func TestSharedSetComesFirstAndItsFailureStopsEverything(t *testing.T) {
	t.Parallel()
	f := fleet(t, 2)
	shared := map[string]string{
		"00001_plans.sql": "create table plans (id int);",
		"00002_bad.sql":   "insert into nowhere values (1);",
	}
	cfg := migrate.Config{
		Shared: []migrate.Source{source("platform", shared)},
		Tenant: []migrate.Source{source("app", basic)},
	}
	list := migrate.Schemas(names(2)...)
	report, err := f.runnerWith(t, cfg).UpAll(t.Context(), list, migrate.UpAllOptions{})
	var sharedErr *migrate.SharedError
	if assert.ErrorAs(t, err, &sharedErr) {
		assert.Equal(t, migrate.ExitFailed, report.ExitCode())
	}
	expectOutcomes(t, report, "public failed 0 1") // its first file stays
	assert.Equal(t, 0, f.at(t, 2), "schemas are migrated")
	report, err = f.runnerWith(t, cfg).
		UpAll(t.Context(), migrate.Schemas("tenant_1"), migrate.UpAllOptions{SkipShared: true})
	require.NoError(t, err)
	expectOutcomes(t, report, "tenant_1 migrated 1 2", "tenant_2 unregistered 0 0")
	delete(shared, "00002_bad.sql")
	cfg.Shared = []migrate.Source{source("platform", shared)}
	report, err = f.runnerWith(t, cfg).UpAll(t.Context(), list, migrate.UpAllOptions{})
	require.NoError(t, err)
	expectOutcomes(t, report, "tenant_2 migrated 1 2")
}

func TestFleetOutOfOrder(t *testing.T) {
	t.Parallel()
	f := setup(t)
	list := migrate.Schemas(names(3)...)
	files := map[string]string{"20240101_a.sql": "create table a ();", "20240301_c.sql": "create table c ();"}
	_, err := f.Runner(t, files).UpAll(t.Context(), list, migrate.UpAllOptions{})
	require.NoError(t, err)
	files["20240201_b.sql"] = "create table b ();" // from a branch that was merged late
	_, err = f.Runner(t, files).UpAll(t.Context(), list, migrate.UpAllOptions{})
	assert.ErrorIs(t, err, migrate.ErrOutOfOrder)
	got := f.tables(t, "tenant_1")
	assert.Equal(t, "a c", got, "refused, and there are the tables %q", got)
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", files)}, OutOfOrder: migrate.Allow})
	_, err = r.UpAll(t.Context(), list, migrate.UpAllOptions{PerTransaction: 2})
	require.NoError(t, err)
	for _, name := range names(3) {
		got := f.tables(t, name)
		assert.Equal(t, "a b c", got, "%s has the tables %q", name, got)
	}
	for st, err := range f.Runner(t, files).Fleet(t.Context(), list) {
		require.NoError(t, err)
		assert.Equal(t, migrate.Current, st.Outcome, st)
		assert.Equal(t, int64(20240301), st.Version, st)
	}
}
