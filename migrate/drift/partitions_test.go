package drift_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// TestPartitionsMadeAtRunTimeAreNoDrift checks that partitions which a program creates are no
// drift. What only such a partition has, such as a constraint, is drift.
func TestPartitionsMadeAtRunTimeAreNoDrift(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	r, err := migrate.New(
		pg.Pool,
		migrate.Config{ExtraTables: []string{"Part manager"}, Tenant: []migrate.Source{migratetest.Source("app",
			map[string]string{
				"00001_logs.sql": `create table "Logs" (id int not null default 1 check (id > 0), n int, s text,
				primary key (id, n)) partition by range (n);
create index on "Logs" (s);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger t after insert on "Logs" for each row execute function f();
create table "Logs_1" partition of "Logs" for values from (1) to (2);
create table plain (n int);`,
			})}},
	)
	require.NoError(t, err)
	reference, err := drift.Reference(t.Context(), r, drift.ReadOptions{})
	require.NoError(t, err)
	for i, c := range []struct{ sql, want string }{
		{`create table "Logs 2" partition of "Logs" for values from (2) to (3) partition by list (id);
			create table logs_3 partition of "Logs 2" for values in (3);
			create table logs_4 (s text, id int not null, n int not null, constraint "Logs_id_check" check (id > 0));
			alter table "Logs 2" attach partition logs_4 for values in (4); create table logs_5 partition of "Logs" default;
			create table logs_6 (like "Logs" including all); alter table "Logs" attach partition logs_6 for values
				from (6) to (7)`, ""},
		{`create table "Part manager" (id serial, n int) partition by list (n);
			create table mgr_1 partition of "Part manager" default`, ""},
		{
			`create table logs_2 partition of "Logs" default; alter table logs_2 add check (n > 0)`,
			"table logs_2: constraint logs_2_n_check is unexpected",
		},
		{
			`create table logs_2 partition of "Logs" default; create unique index u on logs_2 (s)`,
			"table logs_2: index u is unexpected",
		},
		{
			`create table logs_2 partition of "Logs" (s not null) default`,
			"table logs_2: column s: not null is yes, expected not set",
		},
		{
			`create table logs_2 partition of "Logs" default with (fillfactor = 50)`,
			"table logs_2: options is fillfactor=50, expected not set",
		},
		{
			`create unlogged table logs_2 partition of "Logs" default`,
			"table logs_2: persistence is unlogged, expected not set",
		},
		{
			`create table logs_2 partition of "Logs" default; alter table logs_2 disable trigger t`,
			"table logs_2: trigger t: enabled is no, expected not set",
		},
		{
			`create table logs_2 partition of "Logs" default; create trigger own before update on logs_2 for each row
				execute function f()`,
			"table logs_2: trigger own is unexpected",
		},
		{`create table logs_2 partition of "Logs" default; grant select on logs_2 to public`, "table logs_2: grants"},
		{`drop table "Logs_1"`, `table "Logs_1" is missing`},
		{`create table heir () inherits (plain)`, "table heir is unexpected"},
		{
			`create table other (n int) partition by list (n); create table other_1 partition of other default`,
			"table other is unexpected",
		},
	} {
		schema := "tenant_" + string(rune('a'+i))
		_, err := pg.Pool.Exec(t.Context(), "create schema "+schema)
		require.NoError(t, err)
		_, err = r.Up(t.Context(), schema)
		require.NoError(t, err)
		_, err = pg.Pool.Exec(t.Context(), "begin; set local search_path = "+schema+"; "+c.sql+"; commit")
		require.NoError(t, err)
		report, err := drift.Check(t.Context(), r, []string{schema}, drift.Options{Reference: &reference})
		require.NoError(t, err)
		if c.want == "" {
			require.NoError(t, report.Err(), "%s: %s", c.sql, report)
			continue
		}
		require.Len(t, report.Results, 1, c.sql)
		require.NotEmpty(t, report.Results[0].Differences, c.sql)
		assert.Contains(t, report.Results[0].Differences[0].String(), c.want, c.sql)
	}
}
