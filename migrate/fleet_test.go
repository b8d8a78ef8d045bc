package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// first is the first migration of basic.
var first = map[string]string{"00001_notes.sql": basic["00001_notes.sql"]}

// fleet is a fixture with n schemas that have the first migration of basic.
func fleet(t *testing.T, n int) fixture {
	t.Helper()
	f := setup(t)
	for _, name := range names(n) {
		f.Exec(t, "create schema if not exists "+name)
	}
	_, err := f.Runner(t, first).UpAll(t.Context(), migrate.Schemas(names(n)...), migrate.UpAllOptions{})
	require.NoError(t, err)
	return f
}

// outcomes returns "schema outcome from to" for each result.
func outcomes(report migrate.Report) []string {
	var all []string
	for _, res := range report.Results {
		all = append(all, fmt.Sprintf("%s %s %d %d", res.Schema, res.Outcome, res.From, res.To))
	}
	return all
}

func expectOutcomes(t *testing.T, report migrate.Report, want ...string) {
	t.Helper()
	got := outcomes(report)
	assert.Equal(t, want, got, "got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// at returns how many schemas have the column of the second migration. It checks that the version
// tables agree with that and have no version twice.
func (f fixture) at(t *testing.T, n int) int {
	t.Helper()
	migrated := 0
	for _, name := range names(n) {
		var column bool
		var rows, notes int
		f.Scan(
			t,
			fmt.Sprintf(
				`select exists (select from pg_attribute where attrelid = to_regclass('%[1]s.notes') and attname = 'body'),
			(select count(*) from %[1]s.goose_db_version where version_id = 2), (select count(*) from %[1]s.notes)`,
				name,
			),
			&column,
			&rows,
			&notes,
		)
		assert.Equal(t, rows == 1, column, "%s: column %t, %d rows for version 2, %d notes", name, column, rows, notes)
		assert.LessOrEqual(t, rows, 1, "%s: column %t, %d rows for version 2, %d notes", name, column, rows, notes)
		assert.Equal(t, 1, notes, "%s: column %t, %d rows for version 2", name, column, rows)
		if column {
			migrated++
		}
	}
	return migrated
}

func TestUpAllGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.Exec(t, "create table tenant_2.notes ()")
	r := f.Runner(t, basic)
	list := migrate.Schemas("tenant_1", "tenant_2", "tenant_9", "tenant_3", "tenant_1", "Tenant", "public")
	report, err := r.UpAll(t.Context(), list, migrate.UpAllOptions{Workers: 2})
	assert.ErrorIs(t, err, migrate.ErrIncomplete)
	expectOutcomes(
		t,
		report,
		"tenant_1 migrated 0 2",
		"tenant_2 failed 0 0",
		"tenant_9 missing 0 0",
		"tenant_3 migrated 0 2",
		"Tenant failed 0 0",
		"public failed 0 0",
	)
	var nameErr *schemactx.NameError
	if assert.Len(t, report.Failed(), 4, "report %+v", report) &&
		assert.Equal(t, 6, report.Listed, "report %+v", report) &&
		assert.Equal(t, 0, report.Current, "report %+v", report) {
		assert.ErrorAs(t, report.Results[5].Err, &nameErr, "report %+v", report)
	}
	assert.Equal(t, migrate.ExitFailed, report.ExitCode(), "exit code")
	f.Exec(t, "drop table tenant_2.notes; create schema tenant_9")
	all := migrate.Schemas("tenant_1", "tenant_2", "tenant_9", "tenant_3")
	report, err = r.UpAll(t.Context(), all, migrate.UpAllOptions{})
	require.NoError(t, err)
	expectOutcomes(t, report, "tenant_2 migrated 0 2", "tenant_9 migrated 0 2")
	report, err = r.UpAll(t.Context(), all, migrate.UpAllOptions{})
	require.NoError(t, err)
	if assert.Equal(t, 4, report.Current, "third report %+v", report) &&
		assert.Empty(t, report.Results, "third report %+v", report) {
		assert.Equal(t, migrate.ExitOK, report.ExitCode(), "third report %+v", report)
	}

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	report, err = r.UpAll(cancelled, all, migrate.UpAllOptions{})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, migrate.ExitIncomplete, report.ExitCode(), "exit code %d after a cancel", report.ExitCode())
	_, err = r.UpAll(t.Context(), migrate.Schemas(), migrate.UpAllOptions{SkipShared: true})
	require.NoError(t, err)
}

func TestFleetReportsTheStateOfEachSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for i := 4; i <= 12; i++ {
		f.Exec(t, fmt.Sprintf("create schema tenant_%d", i))
	}
	newer := f.Runner(
		t,
		map[string]string{
			"00001_notes.sql": basic["00001_notes.sql"],
			"00002_body.sql":  "select 1;",
			"00003_new.sql":   "select 1;",
		},
	)
	require.NoError(t, f.Runner(t, basic).Migrate(t.Context(), "tenant_1"))
	require.NoError(t, f.Runner(t, first).Migrate(t.Context(), "tenant_2"))
	require.NoError(t, newer.Migrate(t.Context(), "tenant_4"))
	require.NoError(t, f.Runner(t, map[string]string{"00002_body.sql": "select 1;"}).Migrate(t.Context(), "tenant_5"))
	require.NoError(t, f.Runner(t, basic).Migrate(t.Context(), "tenant_12"))
	f.Exec(t, `create table tenant_6.goose_db_version (id int);
		create view tenant_7.goose_db_version as select 1;
		create table tenant_8.goose_db_version (id text, version_id text, is_applied text, tstamp text);
		insert into tenant_8.goose_db_version values ('id', 'version_id', 'is_applied', 'tstamp');
		create table tenant_9.goose_db_version (id serial, version_id numeric, is_applied boolean, tstamp date);
		insert into tenant_9.goose_db_version (version_id, is_applied) values (1, true);
		create table tenant_10.goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp);
		insert into tenant_10.goose_db_version (version_id, is_applied) values (1, true), (2, true), (2, false);
		create table tenant_11.goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp)`)
	f.Exec(t, "create schema unlisted; create table unlisted.goose_db_version ()")
	var got []string
	for st, err := range f.Runner(t, basic).Fleet(t.Context(), migrate.Schemas(append(names(12), "tenant_99")...)) {
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%s %s %d %v", st.Schema, st.Outcome, st.Version, st.Pending))
		assert.Equal(t,
			!slices.Contains([]migrate.Outcome{migrate.Current, migrate.Behind, migrate.Unregistered}, st.Outcome),
			st.Err != nil,
			"%s: %v", st.Schema, st.Err)
	}
	want := []string{
		"tenant_1 current 2 []", "tenant_2 behind 1 [2]", "tenant_3 behind 0 [1 2]", "tenant_4 unknown version 3 []",
		"tenant_5 out of order 2 [1]", "tenant_6 bad table 0 []", "tenant_7 bad table 0 []", "tenant_8 bad table 0 []",
		"tenant_9 behind 1 [2]", "tenant_10 behind 1 [2]", "tenant_11 behind 0 [1 2]", "tenant_12 current 2 []",
		"tenant_99 missing 0 []", "unlisted unregistered 0 []",
	}
	assert.Equal(t, want, got, "got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	for st, err := range f.Runner(t, basic).Fleet(t.Context(), migrate.Schemas(names(3)...)) {
		require.NoError(t, err)
		assert.Equal(t, "tenant_1", st.Schema, "went on to %s", st.Schema)
		break
	}
}

func TestEachFailureHasItsOutcomeAndStopsNoOtherSchema(t *testing.T) {
	t.Parallel()
	f := fleet(t, 6)
	f.Exec(t, "insert into tenant_2.goose_db_version (version_id, is_applied) values (9, true)")
	f.Exec(
		t,
		"alter table tenant_3.goose_db_version drop column is_applied; drop schema tenant_4 cascade; "+
			"drop table tenant_5.goose_db_version, tenant_5.notes",
	)
	f.Exec(t, "create schema unlisted; create table unlisted.goose_db_version ()")
	report, err := f.Runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(6)...), migrate.UpAllOptions{})
	assert.ErrorIs(t, err, migrate.ErrIncomplete)
	expectOutcomes(
		t,
		report,
		"tenant_1 migrated 1 2",
		"tenant_2 unknown version 9 9",
		"tenant_3 bad table 0 0",
		"tenant_4 missing 0 0",
		"tenant_5 migrated 0 2",
		"tenant_6 migrated 1 2",
		"unlisted unregistered 0 0",
	)
	for _, outcome := range []migrate.Outcome{migrate.UnknownVersion, migrate.BadTable, migrate.Missing} {
		assert.Equal(t, 1, report.Count(outcome), "schemas with outcome %s", outcome)
	}
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
	older := f.Runner(t, first)
	report, err := f.Runner(t, basic).
		UpAll(t.Context(), list, migrate.UpAllOptions{Workers: 1, Events: func(e migrate.Event) {
			if e.Kind == migrate.EventFinished && made.Load() < 3 {
				name := names(3 + int(made.Load()) + 1)[3+made.Load()]
				f.Exec(t, "create schema "+name)
				require.NoError(t, older.Migrate(t.Context(), name))
				made.Add(1)
			}
		}})
	require.NoError(t, err)
	assert.Equal(t, 6, f.at(t, 6), "migrated schemas; the report: %v", outcomes(report))
	assert.Len(t, report.Results, 6, "report %v", outcomes(report))
	broken := errors.New("the registry is away")
	_, err = f.Runner(t, basic).UpAll(t.Context(), func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) { yield("", broken) }
	}, migrate.UpAllOptions{})
	assert.ErrorIs(t, err, broken)
}
