package migrate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStatementsEndWhereTheServerEndsThem(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string][]string{
		"select 1; select 2":                    {"select 1;", "select 2"},
		"select 1;;; ;select 2;":                {"select 1;", "select 2;"},
		"/* a; */ -- b;\n":                      nil,
		"select 1 /* a; */; -- b;":              {"select 1 /* a; */;"},
		`select E'it''s 5 o\'clock; '; x`:       {`select E'it''s 5 o\'clock; ';`, "x"},
		`select 'a\'; x`:                        {`select 'a\';`, "x"}, // no escapes in a plain string
		"select E'one; '\n  'two\\'; three'; x": {"select E'one; '\n  'two\\'; three';", "x"},
		"select E'one; ' -- it's;\r\n\t-- ;\n'two\\'; three'; x": {
			"select E'one; ' -- it's;\r\n\t-- ;\n'two\\'; three';",
			"x",
		},
		// A string on one line has no continuation.
		`select E'one' 'two\'; x`:                         {`select E'one' 'two\';`, "x"},
		"select E'one' /* \n */ 'two\\'; x":               {"select E'one' /* \n */ 'two\\';", "x"},
		"select 'one'\n'tw\\o;'; x":                       {"select 'one'\n'tw\\o;';", "x"},
		`select "a;""b;", U&"c;\0061", U&'d;''\0061;'; x`: {`select "a;""b;", U&"c;\0061", U&'d;''\0061;';`, "x"},
		`select B'1', X'1f;', N'a;''', b'0'; x`:           {`select B'1', X'1f;', N'a;''', b'0';`, "x"},
		"select $$a;$b$;$$, $b$;$$;$b$, $é$;$é$; x":       {"select $$a;$b$;$$, $b$;$$;$b$, $é$;$é$;", "x"},
		"select a$b$, c$b$; x":                            {"select a$b$, c$b$;", "x"},
		"/* a /* ; */ ; */ select 1; x":                   {"select 1;", "x"},
		"select 1 */* ; */ 2; x":                          {"select 1 */* ; */ 2;", "x"},
		"create rule r as on insert to a do also (insert into b values (1); insert into c values (1)); x": {
			"create rule r as on insert to a do also (insert into b values (1); insert into c values (1));", "x",
		},
		"create schema s create table a (id int) create view b as select 1; x": {"create schema s create table a (id int) " +
			"create view b as select 1;", "x"},
		"create function f() returns int language sql begin atomic select 1; select case when true then 1 else 2 end; " +
			"end; x": {
			"create function f() returns int language sql begin atomic select 1; select case when true then 1 else 2 end; " +
				"end;", "x",
		},
		"create function f() returns int begin atomic select 1 as end; select a.case, b.end from a, b; " +
			"select (case when (case 1 when 1 then true end) then 2 end); end; x": {
			"create function f() returns int begin atomic select 1 as end; select a.case, b.end from a, b; " +
				"select (case when (case 1 when 1 then true end) then 2 end); end;", "x",
		},
		"begin; select case when true then 1 end; end; x": {"begin;", "select case when true then 1 end;", "end;", "x"},
		"select arr[1:2]; x":                              {"select arr[1:2];", "x"},
	} {
		var got []string
		for _, s := range splitSQL(sql) {
			got = append(got, s.sql)
			assert.Equal(t, s.sql, sql[s.at:s.at+len(s.sql)], "the place of a statement")
		}
		assert.Equal(t, want, got, "%q", sql)
	}
}

func TestStatementsOfABlockHaveTheirOwnLines(t *testing.T) {
	t.Parallel()
	m, err := parse(
		"s",
		"1_a.sql",
		"-- +goose Up\nselect 1; /* two\nlines */ select 2;\n\n  \n-- kept\n-- +goose StatementBegin\n-- dropped\n\n"+
			"select 3;\n"+
			"-- why\nselect 4\n;select 5;\n-- +goose StatementEnd\nselect 6;\n",
	)
	require.NoError(t, err)
	assert.Equal(t, []statement{
		{sql: "select 1;", line: 2, number: 1},
		{sql: "select 2;", line: 3, number: 2},
		{sql: "select 3;", line: 10, number: 3},
		{sql: "select 4\n;", line: 12, number: 4},
		{sql: "select 5;", line: 13, number: 5},
		{sql: "select 6;", line: 15, number: 6},
	}, m.up)
}

func TestABlockWithoutATransactionIsATransaction(t *testing.T) {
	t.Parallel()
	sql := func(content string) []string {
		m, err := parse("s", "1_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n"+content)
		require.NoError(t, err)
		return sqlOf(m.up)
	}
	assert.Equal(t, []string{"a;", "begin", "b;", "c;", "commit", "d;"}, sql("a;\nb; c;\nd;\n"))
	assert.Equal(t, []string{"vacuum a;", "vacuum b;"}, sql("vacuum a; vacuum b;\n"), "what no transaction can have")
	assert.Equal(
		t,
		[]string{"create index concurrently i on t (a);", "x;"},
		sql("create index concurrently i on t (a); x;\n"),
	)
	assert.Equal(t, []string{"begin;", "x;", "commit;"}, sql("begin; x; commit;\n"), "its own")
}
