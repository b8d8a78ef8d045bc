package backup_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// failingExpressions are an index that cannot be analysed, and two materialized views. One cannot
// be filled. A function fills the other one from another view, a dependency that no catalog
// records.
var failingExpressions = migrate.Source{Name: "doubtful", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table fine (n int);
create table posts (n int);
create table zz_closed (n int);
-- +goose StatementBegin
create function opened(n int) returns int language plpgsql immutable set search_path from current as $$
begin if exists (select from zz_closed) then raise exception 'closed'; end if; return n; end $$;
create function total() returns bigint language plpgsql stable set search_path from current as
$$ begin return (select sum(n) from zz_totals); end $$;
-- +goose StatementEnd
create index posts_opened on posts (opened(n));
create materialized view aa_sums as select total() as n with no data;
create materialized view ratios as select 10 / n as ratio from fine;
create materialized view unfilled as select n from fine with no data;
create materialized view zz_totals as select sum(n) as n from fine;
`)}}}

func TestAnExpressionThatFailsIsAWarning(t *testing.T) {
	t.Parallel()
	f := setup(t, failingExpressions)
	tenant := f.create(t, "north")
	f.exec(
		t,
		tenant.Schema,
		`insert into fine values (1), (2); insert into posts values (1); refresh materialized view ratios;
		insert into fine values (0); insert into zz_closed values (1); refresh materialized view zz_totals;
		refresh materialized view aa_sums`,
	)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)

	verification, err := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	expectDoubtful(t, verification.Warnings)
	restored, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	expectDoubtful(t, restored.Warnings)
	cloned, err := s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "south", Domain: "south.example.com"})
	require.NoError(t, err)
	require.Len(t, cloned.Warnings, 1, "the view was unpopulated in the tenant that was cloned")
	assert.Equal(t, "table posts", cloned.Warnings[0].Object)
	for _, schema := range []string{restored.Tenant.Schema, cloned.Tenant.Schema} {
		var sum int64
		require.NoError(t, f.owner.QueryRow(t.Context(), "select n from "+schema+".aa_sums").Scan(&sum))
		assert.EqualValues(t, 3, sum, "the view whose function reads another view")
		var empty []string
		require.NoError(t, f.owner.QueryRow(t.Context(), `select array_agg(relname::text order by relname) from pg_class
			where relnamespace = $1::regnamespace and relkind = 'm' and not relispopulated`, schema).Scan(&empty))
		assert.Equal(t, []string{"ratios", "unfilled"}, empty)
		var analyzed bool
		require.NoError(t, f.owner.QueryRow(t.Context(),
			"select exists (select from pg_stats where schemaname = $1 and tablename = 'fine')", schema).
			Scan(&analyzed))
		assert.True(t, analyzed, "tables beside the one that cannot be analysed")
	}
}

func expectDoubtful(t *testing.T, warnings []backup.Warning) {
	t.Helper()
	require.Len(t, warnings, 2)
	assert.Equal(t, "table posts", warnings[0].Object)
	assert.Contains(t, warnings[0].Reason, "has no statistics, or incomplete ones: ERROR: closed")
	assert.Equal(t, "materialized view ratios", warnings[1].Object)
	assert.Contains(t, warnings[1].Reason, "division by zero")
}
