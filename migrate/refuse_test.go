package migrate

import (
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func inUTF16(s string) string {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestRefusalNamesTheProblemOfTheFile(t *testing.T) {
	t.Parallel()
	const up, begin, end = "-- +goose Up\n", "-- +goose StatementBegin\n", "-- +goose StatementEnd\n"
	for name, c := range map[string]struct {
		content string
		line    int
		reason  string
	}{
		"UTF-16":                  {inUTF16(up + "select 1;\n"), 0, "UTF-16"},
		"UTF-16 without its mark": {inUTF16(up + "select 1;\n")[2:], 1, "NUL"},
		"a NUL":                   {up + "\nselect '\x00';\n", 3, "NUL"},
		"another encoding":        {up + "select 'caf\xe9';\n", 2, "UTF-8"},
		"carriage returns":        {"-- +goose Up\rselect 1;\r", 1, "carriage returns"},
		"a mark inside":           {up + "\ufeffselect 1;\n", 2, "byte order mark"},
		"connect":                 {up + "\\connect other\nselect 1;\n", 2, `\connect is a command of psql`},
		"set of psql":             {up + "select 1;\n\\set x 'it\n", 3, `\set is a command of psql`},
		"in a block":              {up + begin + "select 1;\n\\i other.sql\n" + end, 4, `\i is a command of psql`},
		"the end of data":         {up + "\\.\n\nselect 1;\n", 2, `\. is a command of psql`},
		"restrict":                {up + "--\n\\restrict abc\n\n-- +goose Down\n", 3, `\restrict is a command of psql`},
		"gexec":                   {up + "select 'x'\n\\gexec\n", 3, `\gexec is a command of psql`},
		"data":                    {up + "COPY public.t (id, s) FROM stdin;\n1\tone; it's\n2\t\\N\n\\.\n", 2, "INSERT"},
		"data in a block": {
			up + begin + "select 1;\ncopy t from stdin with (format csv);\n1,2\n\\.\n" + end, 4,
			"INSERT",
		},
		"data out":     {up + "copy (select 1) to stdout;\n", 2, "to the client"},
		"no semicolon": {up + "select 1;\nselect 2\n", 3, "needs a semicolon"},
		"no semicolon before Down": {
			up + "select 1; select 2\n-- +goose Down\n", 3,
			"statement of line 2 does not end: its last line needs a semicolon",
		},
		"no semicolon before block": {
			up + "select 1\n\n" + begin + "select 2;\n" + end, 4,
			"statement of line 2 does not end",
		},
		"a comment behind":     {up + "select 1;\nselect 2; /* the end */\n", 3, "last on its line"},
		"a comment at the end": {up + "select 1;\n/* the end */\n", 3, "a comment that no statement follows"},
		"blanks and a comment": {up + "select 1;\n  \n-- a\n-- +goose Down\n", 5, "a comment that no statement follows"},
		"a quote":              {up + "select 1;\nselect 'it's';\n\nselect 2\n", 3, "ends within a quote"},
		"a function without block": {
			up + "create function f() returns int as $$\nselect 1;\n$$ language sql;\n", 2,
			"between StatementBegin and StatementEnd",
		},
		"a body without block": {
			up + "create function f() returns int begin atomic\nselect 1;\nend;\n", 2,
			"between StatementBegin and StatementEnd",
		},
		"an open block":       {up + begin + "select 1;\n", 3, "StatementBegin of line 2 has no StatementEnd"},
		"an open empty block": {up + begin, 2, "StatementBegin of line 2 has no StatementEnd"},
		"an open block before Down": {
			up + begin + "select 1;\n-- +goose Down\n", 4,
			"StatementBegin of line 2 has no StatementEnd",
		},
		"a block in a block": {up + begin + begin, 3, "StatementBegin of line 2 has no StatementEnd"},
		"only an end":        {up + end, 2, "StatementEnd without StatementBegin"},
		"no Up":              {"-- nothing\n", 0, "has no Up section"},
		"of another tool": {
			"-- +migrate Up\ncreate table t (id int);\n", 2,
			"begin the file with a line -- +goose Up",
		},
		"prepared transaction":    {up + "prepare transaction 'x';\n", 2, "PREPARE TRANSACTION"},
		"commit on the same line": {up + "select 1; commit;\n", 2, "COMMIT"},
		"commit in a block":       {up + begin + "select 1;\n\ncommit;\n" + end, 5, "COMMIT"},
	} {
		_, err := parse("s", "00001_a.sql", c.content)
		var parseErr *ParseError
		if assert.ErrorAs(t, err, &parseErr, name) {
			assert.Equal(t, c.line, parseErr.Line, "%s: %v", name, err)
			assert.Contains(t, parseErr.Reason, c.reason, name)
		}
	}
}

func TestAByteOrderMarkIsNotPartOfAFile(t *testing.T) {
	t.Parallel()
	const content = "-- +goose Up\r\nselect 1;\r\n"
	plain, err := parse("s", "1_a.sql", content)
	require.NoError(t, err)
	marked, err := parse("s", "1_a.sql", "\ufeff"+content)
	require.NoError(t, err)
	assert.Equal(t, plain, marked)
}

// newWith returns the error of New for a file of the set.
func newWith(t *testing.T, kind Set, content string) error {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), "host=127.0.0.1") // it would connect at its first use, and is not used
	require.NoError(t, err)
	defer pool.Close()
	sources := []Source{
		{Name: "app", FS: fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nselect 1;\n" + content)}}},
	}
	if kind == SharedSet {
		_, err = New(pool, Config{Shared: sources})
	} else {
		_, err = New(pool, Config{Tenant: sources})
	}
	return err
}

func TestTenantSetRefusesObjectsOfTheDatabase(t *testing.T) {
	t.Parallel()
	const begin, end = "-- +goose StatementBegin\n", "\n-- +goose StatementEnd\n"
	for content, reason := range map[string]string{
		"create extension if not exists citext;\n":                                           "CREATE EXTENSION",
		"CREATE /* an */ EXTENSION\n\"uuid-ossp\" WITH SCHEMA public;\n":                     "CREATE EXTENSION",
		"select 2; alter extension citext update;\n":                                         "ALTER EXTENSION",
		"-- +goose Down\ndrop extension if exists citext;\n":                                 "DROP EXTENSION",
		"-- +goose NO TRANSACTION\ncreate extension citext;\n":                               "CREATE EXTENSION",
		begin + "select 2;\n create extension citext" + end:                                  "CREATE EXTENSION",
		begin + "do $$ begin\n create extension if not exists citext; end $$" + end:          "DO that creates",
		begin + "do language plpgsql 'begin execute ''create extension citext''; end'" + end: "DO that creates",
		begin + "do $$ begin execute format('create extension %I', 'citext'); end $$" + end:  "DO that creates",
		begin + "do $$ begin execute 'create ' || $x$ extension $x$ || quote_ident('a'); end $$" +
			end: "DO that creates",
		begin + "do $$ begin if true then drop extension citext; end if; end $$" + end: "DO that creates",

		"create table public.t (id int);\n":                                          "CREATE TABLE in schema public",
		"create unlogged table if not exists \"public\" . \"T\" (id int);\n":         "CREATE TABLE in schema public",
		"create or replace view other.v as select 1;\n":                              "CREATE VIEW in schema other",
		"create materialized view public.v as select 1;\n":                           "CREATE VIEW in schema public",
		"create type \"public\".mood as enum ('a');\n":                               "CREATE TYPE in schema public",
		"create sequence public.s;\n":                                                "CREATE SEQUENCE in schema public",
		"create or replace function public.f() returns int language sql return 1;\n": "CREATE FUNCTION in schema public",
		"create unique index concurrently if not exists i on only public.t (id);\n":  "CREATE INDEX in schema public",
		"create trigger t before update of a, b on public.t execute function f();\n": "CREATE TRIGGER in schema public",
		"create text search configuration public.c (copy = simple);\n":               "CREATE TEXT SEARCH in schema public",
		"create foreign table public.t (id int) server s;\n":                         "CREATE FOREIGN TABLE in schema public",
		"create role reader;\n":                                                      "CREATE ROLE",
		"create user reader;\n":                                                      "CREATE USER",
		"create database d;\n":                                                       "CREATE DATABASE",
		"create schema audit;\n":                                                     "CREATE SCHEMA",
		"create publication p for all tables;\n":                                     "CREATE PUBLICATION",
		"create subscription s connection '' publication p;\n":                       "CREATE SUBSCRIPTION",
		"create event trigger e on ddl_command_end execute function f();\n":          "CREATE EVENT TRIGGER",
		"create server s foreign data wrapper w;\n":                                  "CREATE SERVER",
		"create tablespace s location '/x';\n":                                       "CREATE TABLESPACE",
	} {
		var parseErr *ParseError
		if assert.ErrorAs(t, newWith(t, TenantSet, content), &parseErr, content) {
			assert.Contains(t, parseErr.Reason, reason, content)
			assert.GreaterOrEqual(t, parseErr.Line, 3, content)
		}
		assert.NoError(t, newWith(t, SharedSet, content), "%s in the shared set", content)
	}
	for _, content := range []string{
		"create table t (id int references public.countries (id), s public.citext default public.f());\n",
		"create temporary table pg_temp.t (id int);\n",
		"create table extension (public int); alter table extension add b int;\n",
		"create index on t (public.f(a)); create index i on t using gin (s public.gin_trgm_ops);\n",
		"create trigger t after insert on t execute function public.f();\n",
		"create view v as select * from public.countries;\n",
		"create schema if not exists audit; drop schema if exists audit; drop role reader; " +
			"alter role reader set work_mem = '1MB';\n",
		"create user mapping if not exists for current_user server s; " +
			"create server if not exists s foreign data wrapper w;\n",
		"create or replace language l; create cast (a as b) without function; grant select on t to public;\n",
		"alter default privileges grant select on tables to reader; comment on extension citext is 'x';\n",
		begin + "do $$ begin create role reader; exception when duplicate_object then null; end $$" + end,
		begin + "do $$ begin raise exception 'create extension citext first'; -- create extension\n end $$" + end,
		begin + "do $$ begin execute 'comment on table t is ''create extension citext'''; end $$" + end,
		"insert into t values ('create extension citext', $$drop extension citext$$);\n",
	} {
		assert.NoError(t, newWith(t, TenantSet, content), content)
	}
}
