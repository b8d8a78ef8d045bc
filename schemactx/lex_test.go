package schemactx

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestKindOfStatement(t *testing.T) {
	for _, c := range []struct {
		want sqlKind
		sql  []string
	}{
		{kindRead, []string{
			"select * from notes where id = $1",
			"SELECT count(*), max(id) FROM notes n JOIN other USING (id) WHERE id IN (1, 2) GROUP BY (a)",
			"/* a /* nested */ comment */ -- and a line\n select 'set_config(' || \"odd(\" from t",
			"with x as (select 1) select * from x where a = N'it''s set_config(' and b = $$ f( $$ and c = $t$ f( $t$",
			"values (1, 'insert')", "table notes", "(select 1) union (select 2)",
			"select 1e5, n.id from notes n where n.x in ($1)",
			"select 'a''b(' from t order by lower(name)",
		}},
		{kindWrite, []string{
			"insert into notes values (1)",
			"insert into tenant_b . notes (id, body) values ($1, lower($2)) on conflict (id) do update set body = excluded.body",
			"update notes set body = $1 where id in (1)", "delete from notes", "select * into new from notes",
			"with gone as (delete from notes returning *) select * from gone",
			"merge into notes n using (select 1) x on true when not matched then insert (id) values (1)",
		}},
		{kindOther, []string{
			"update pg_settings set setting = 'b' where name = 'role'", "update \"pg_settings\" set setting = 'b'",
			"update PG_SETTINGS set setting = 'b'",
			"insert into notes select f(1)", "insert into notes (id) values (nextval('s'))", "update notes set body = mine()",
			"select set_config('a', 'b', false)", "select SET_CONFIG ('a', 'b', false)",
			"select \"set_config\"('a', 'b', false)", "select U&\"set\\005fconfig\"('a', 'b', false)", "select u&'x', count(*)",
			"select pg_catalog.set_config('a', 'b', false)", "select pg_advisory_lock(1)", "select nextval('s')",
			"select mine(1)",
			"select tenant_b . count (1)", "select tenant_b/**/.count(1)", "select f/* x */(1)", "select f -- x\n (1)",
			"select query_to_xml('select 1', true, true, '')", "declare c cursor with hold for select 1",
			"create table x (id int)",
			"explain analyze select set_config('a', 'b', false)", "notify x", "set constraints all deferred", "", ";", "1",
			"'select'",
			"select * from f ($1)", "select 1 where x($$ $$)",
			`select E'a''\'', f(1), ''`, "select E''\n'\\'', f(1), ''", "select e''", "select 1 as into, f(1)",
			"select (select 1 as into) + f(1)",
			"select (1).f", "select (t.a) . f from t", "select t.a[1]/* */./* */f from t", "select $1.f",
			"select tenant_b./**/count(1)",
		}},
		{kindRefused, []string{
			"set role x", "SET search_path to b", "set local role none", "reset all", "commit", "COMMIT AND CHAIN", "rollback",
			"end",
			"abort", "begin", "start transaction", "savepoint s", "release s", "prepare p as select 1", "execute p",
			"deallocate all",
			"discard all", "listen x", "unlisten *", "load 'x'", "prepare transaction 'x'",
			" \t\r\n\f\v commit", ";commit", "; /* x */ ; set role x", "--x\rcommit", "/* /* */ */commit", "(commit)",
			"set constraint", "set constraints.x = 1", "explain (verbose) execute p", "explain analyze execute p",
			"set/**/role none", "set session authorization x", "set\"role\" to x",
		}},
		{kindCopy, []string{"copy notes from stdin", "COPY (select 1) to stdout"}},
		{kindBlock, []string{"do $$ begin commit; end $$", "call p()"}},
	} {
		for _, sql := range c.sql {
			assert.Equal(t, c.want, kindOf(sql), "kindOf(%q)", sql)
		}
	}
}

func FuzzKindOf(f *testing.F) {
	for _, sql := range []string{"select 1", "/*", "$a$", "E'\\", "u&\"", "\"\"\"", "a.b(c)", "\x80("} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		kind := kindOf(sql) // must end and must not panic
		for _, blank := range []string{" ", "\n", "/* x */", "-- x\n", ";"} {
			assert.Equal(t, kind, kindOf(blank+sql), "kindOf(%q) = %d, with %q in front", sql, kind, blank)
		}
	})
}

func BenchmarkKindOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		kindOf(
			"select s.id, s.name, coalesce(c.name, '') from students s left join classes c on c.id = s.class_id where s.id = $1",
		)
	}
}
