package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// hiddenCalls are statements that call the function of an earlier file, which sets app.tenant.
var hiddenCalls = map[string]string{
	"a default of an array of a domain": "create table t (a leaking[] default '{x}');",
	"a default of a composite type":     "create table t (a pair default '(x)');",
	"in a continued string":             "create table t (a leaking[] default ''\n'{x}');",
	"in an escape string":               "create table t (a leaking[] default e'\\x7bx}');",
	"in a string of unicode":            "create table t (a leaking[] default u&'!007bx}' uescape '!');",
	"in dollar quotes":                  "create table t (a leaking[] default $${x}$$);",
	"a check":                           "create table t (a text, check ('(x)'::pair is not null));",
	"a view":                            "create view v as select '{x}'::leaking[] as a;",
	"an argument's default": "create function f(a leaking[] default '{x}') returns int " +
		"language sql as 'select 1';",
	"a function's body": "create function f() returns leaking[] language sql as " +
		"$$ select '{x}'::leaking[] $$;",
	"a function's standard body":            "create function f() returns leaking[] language sql return '{x}'::leaking[];",
	"a policy":                              "create policy p on plain using ('(x)'::pair is not null);",
	"the key of partitions":                 "create table t (a int) partition by list ((a + leak_one(1)));",
	"an exclusion":                          "create table t (a int, exclude using btree ((a + leak_one(1)) with =));",
	"an index":                              "create index on plain ((a + leak_one(1)));",
	"an index of some rows":                 "create index on plain (a) where leak_one(a) > 0;",
	"an index that is copied":               "create table t (like indexed including all);",
	"an index that calls a type's function": "create index on plain using gist (r);",
	"a materialized view":                   "create materialized view v as select leak_one(1);",
	"a table of a query":                    "create table t as select leak_one(1);",
	"a column of a table with rows":         "alter table plain add column b int default leak_one(1);",
	"a check of a table with rows":          "alter table plain add check (leak_one(a) > 0);",
	"a generated column": "alter table plain add column b int " +
		"generated always as (leak_one(a)) stored;",
}

// TestHiddenFunctionCallsLeaveNoSessionState runs statements that do not look as if they call a
// function. The next user of the session finds nothing of it.
func TestHiddenFunctionCallsLeaveNoSessionState(t *testing.T) {
	t.Parallel()
	leak := func(name, args, returns string) string {
		value := map[string]string{"int": "1", "boolean": "true", "float8": "1"}[returns]
		return "-- +goose StatementBegin\ncreate function " + name + "(" + args + ") returns " + returns +
			" immutable language plpgsql as $$ begin perform set_config('app.tenant', 'x', false); return " +
			value + "; end $$;\n-- +goose StatementEnd\n"
	}
	made := leak("leak", "text", "boolean") + leak("leak_one", "int", "int") + leak("distance", "int, int", "float8") +
		"create domain leaking as text check (leak(value));\ncreate type pair as (a leaking);\n" +
		"create type span as range (subtype = int4, subtype_diff = distance);\n" +
		"create table plain (a int, r span);\ninsert into plain select i, span(i, i + 1) from generate_series(1, 1000) i;\n" +
		"create table indexed (a int);\ncreate index on indexed ((a + leak_one(1)));\n"
	for name, sql := range hiddenCalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			pool := f.poolOf(t, 1, nil)
			first := map[string]string{"00001_a.sql": made}
			r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", first)}})
			require.NoError(t, err)
			_, err = r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{})
			require.NoError(t, err)
			r, err = migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", map[string]string{
				"00001_a.sql": made, "00002_b.sql": sql, "00003_c.sql": observe(f),
			})}})
			require.NoError(t, err)
			require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
			f.expectNothingLeft(t, pool, "one")
			_, err = r.UpAll(t.Context(), migrate.Schemas(names(3)...), migrate.UpAllOptions{Workers: 1})
			require.NoError(t, err)
			f.expectNothingLeft(t, pool, "fleet")
			for _, schema := range names(3) {
				var seen string
				f.Scan(t, "select seen from "+schema+".observed", &seen)
				assert.Empty(t, seen, schema)
			}
		})
	}
}

// TestFileThatMakesAnEventTrigger checks that after a file that creates an event trigger every
// statement counts as one that calls functions.
func TestFileThatMakesAnEventTrigger(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := f.poolOf(t, 1, nil)
	r, err := migrate.New(pool, migrate.Config{Shared: []migrate.Source{source("app", map[string]string{
		"00001_a.sql": "-- +goose StatementBegin\ncreate function public.leak() returns event_trigger language plpgsql as " +
			"$$ begin perform set_config('app.tenant', 'x', false); end $$;\n-- +goose StatementEnd\n" +
			"create event trigger leak_" + f.PG.RolePrefix + " on ddl_command_end execute function public.leak();",
		"00002_b.sql": "create table public.plain (a int);",
		"00003_c.sql": "create table public.seen as select coalesce(current_setting('app.tenant', true), '') as seen;",
	})}})
	require.NoError(t, err)
	require.NoError(t, r.Migrate(t.Context(), "public"))
	f.expectNothingLeft(t, pool, "the next user")
	var seen string
	f.Scan(t, "select seen from public.seen", &seen)
	assert.Empty(t, seen)
}
