package migrate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

func TestAcceptRecordsEditedFiles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, lock := range map[string]migrate.Lock{"advisory": migrate.LockAdvisory, "table": migrate.LockTable} {
		t.Run(name, func(t *testing.T) {
			f.Exec(t, "drop schema if exists tenant_1 cascade; create schema tenant_1")
			require.NoError(t, f.tenant(t, texts("app", both)).Migrate(t.Context(), "tenant_1"))
			strict := f.runnerWith(
				t,
				migrate.Config{Tenant: []migrate.Source{texts("app", edited())}, Changed: migrate.Refuse, Lock: lock},
			)
			expectStands(t, strict, "tenant_1", migrate.Edited)
			var before, after string
			comment := "select obj_description('tenant_1.goose_db_version'::regclass)"
			f.Scan(t, comment, &before)

			done, err := strict.Accept(t.Context(), "tenant_1")
			require.NoError(t, err)
			expectVersions(t, done.Versions, 2)
			expectStands(t, strict, "tenant_1", migrate.Current)
			status, err := strict.Status(t.Context(), "tenant_1")
			require.NoError(t, err)
			expectVersions(t, status.Versions(migrate.Applied), 1, 2, 3)
			f.Scan(t, comment, &after)
			assert.NotEqual(t, before, after, "nothing was written")
			done, err = strict.Accept(t.Context(), "tenant_1")
			require.NoError(t, err)
			expectVersions(t, done.Versions)
			f.Scan(t, comment, &before)
			assert.Equal(t, before, after, "the second time wrote %s, after %s", before, after)
			_, err = f.tenant(t, texts("app", both)).Accept(t.Context(), "tenant_1") // back to the first files
			require.NoError(t, err)
			expectStands(t, strict, "tenant_1", migrate.Edited)
		})
	}
}

func TestAcceptWritesNothingIfRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{texts("app", edited())}, LockRetries: -1})
	_, err := r.Accept(t.Context(), "tenant_9")
	assert.ErrorIs(t, err, migrate.ErrSchemaMissing)
	_, err = r.Accept(t.Context(), "Tenant")
	assert.Error(t, err, "a bad name was taken")
	done, err := r.Accept(t.Context(), "tenant_1") // nothing is applied
	require.NoError(t, err)
	expectVersions(t, done.Versions)
	var tables int
	f.Scan(t, "select count(*) from pg_class where relnamespace = 'tenant_1'::regnamespace", &tables)
	assert.Equal(t, 0, tables, "%d tables were made", tables)

	require.NoError(t, f.tenant(t, texts("app", both)).Migrate(t.Context(), "tenant_1"))
	older := f.tenant(t, texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"]}))
	_, err = older.Accept(t.Context(), "tenant_1")
	assert.ErrorIs(t, err, migrate.ErrUnknownVersion)

	tx, err := f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select pg_advisory_xact_lock(hashtextextended('pgtenant.migrate.tenant_1', 0))")
	require.NoError(t, err)
	_, err = r.Accept(t.Context(), "tenant_1")
	assert.ErrorIs(t, err, migrate.ErrLocked)
	require.NoError(t, tx.Rollback(t.Context()))

	f.Exec(t, "comment on table tenant_1.goose_db_version is 'foreign'")
	done, err = r.Accept(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, done.Versions)
	var comment string
	f.Scan(t, "select obj_description('tenant_1.goose_db_version'::regclass)", &comment)
	assert.Equal(t, "foreign", comment, "the comment is %q now", comment)
}

func TestEditedFilesAreNamedUnderBothPolicies(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.tenant(t, texts("app", both)).Migrate(t.Context(), "tenant_1"))
	_, err := f.tenant(t, texts("app", both)).UpTo(t.Context(), "tenant_2", 2)
	require.NoError(t, err)
	for policy, want := range map[migrate.Policy][]string{
		migrate.Allow:  {"tenant_1 current [2] []", "tenant_2 behind [2] [3]"},
		migrate.Refuse: {"tenant_1 edited [2] []", "tenant_2 edited [2] [3]"},
	} {
		r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{texts("app", edited())}, Changed: policy})
		var got []string
		for s, err := range r.Fleet(t.Context(), migrate.Schemas("tenant_1", "tenant_2")) {
			require.NoError(t, err)
			got = append(got, fmt.Sprint(s.Schema, " ", s.Outcome, " ", s.Edited, " ", s.Pending))
			status, err := r.Status(t.Context(), s.Schema)
			require.NoError(t, err)
			expectVersions(t, status.Versions(migrate.Changed), s.Edited...)
			assert.Equal(t, s.Outcome, status.Outcome, "%s: the fleet says %s, status", s.Schema, s.Outcome)
		}
		migratetest.ExpectLines(t, got, want...)
	}
	r := f.tenant(t, texts("app", edited()))
	require.NoError(t, r.CheckApplied(nil, 0))
	require.NoError(t, r.CheckApplied([]migrate.Migration{{Version: 2, Source: "app", Checksum: "0123456789abcdef"}}, 0))
	assert.ErrorIs(t,
		r.CheckApplied([]migrate.Migration{{Version: 2, Source: "app", Checksum: "0123456789abcdef"}}, migrate.Refuse),
		migrate.ErrChanged)
	assert.ErrorIs(t, r.CheckApplied([]migrate.Migration{{Version: 2, Source: "other"}}, migrate.Refuse),
		migrate.ErrChanged)
	assert.ErrorIs(t, r.CheckApplied([]migrate.Migration{{Version: 9, Source: "app"}}, 0), migrate.ErrUnknownVersion)
}

func TestDriftTellsOfEditedFilesAndNewerSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.tenant(t, texts("app", both)).Migrate(t.Context(), "tenant_1"))
	newer := texts("app", map[string]string{
		"00001_a.sql": both["00001_a.sql"], "00002_b.sql": both["00002_b.sql"], "00003_c.sql": both["00003_c.sql"],
		"00004_d.sql": "-- +goose Up\nselect 1;\n",
	})
	require.NoError(t, f.tenant(t, newer).Migrate(t.Context(), "tenant_2"))
	newer.CompatibleFrom = 3
	require.NoError(t, f.tenant(t, newer).Migrate(t.Context(), "tenant_3"))
	spaced := map[string]string{"00001_a.sql": strings.Replace(both["00001_a.sql"], "create table", "create  table", 1)}
	spaced["00002_b.sql"], spaced["00003_c.sql"] = both["00002_b.sql"], both["00003_c.sql"]
	for policy, want := range map[migrate.Policy]drift.State{migrate.Allow: drift.Equal, migrate.Refuse: drift.Edited} {
		r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{texts("app", spaced)}, Changed: policy})
		var got []string
		schemas := []string{"tenant_1", "tenant_2", "tenant_3", "tenant_9"}
		for result, err := range drift.Each(t.Context(), r, schemas, drift.Options{}) {
			require.NoError(t, err)
			got = append(got, fmt.Sprint(result.Schema, " ", result.State, " ", result.Edited))
			if result.State == drift.Newer {
				assert.ErrorIs(t, result.Err, migrate.ErrUnknownVersion)
			}
			if result.State == drift.Edited {
				assert.ErrorIs(t, result.Err, migrate.ErrChanged)
			}
		}
		migratetest.ExpectLines(
			t,
			got,
			"tenant_1 "+string(want)+" [1]",
			"tenant_2 newer [1]",
			"tenant_3 newer [1]",
			"tenant_9 missing []",
		)
	}
}
