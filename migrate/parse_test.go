package migrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sqlOf(statements []statement) []string {
	var sql []string
	for _, s := range statements {
		sql = append(sql, s.sql)
	}
	return sql
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		up      []string
		down    []string
		noTx    bool
	}{
		"two sections": {
			"-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;\n",
			[]string{"select 1;"},
			[]string{"select 2;"},
			false,
		},
		"several lines": {
			"-- +goose Up\ncreate table t (\n\tid int\n);\nselect 1; -- a comment\n",
			[]string{"create table t (\n\tid int\n);", "select 1; -- a comment"},
			nil, false,
		},
		"semicolon in a comment": {
			"-- +goose Up\nselect 1 -- not here;\n;\n",
			[]string{"select 1 -- not here;\n;"},
			nil,
			false,
		},
		"block": {
			"-- +goose Up\n-- +goose StatementBegin\ncreate function f() returns int language sql as $$\nselect 1;\n" +
				"select 2;\n$$;\n-- +goose StatementEnd\nselect 3;",
			[]string{"create function f() returns int language sql as $$\nselect 1;\nselect 2;\n$$;", "select 3;"},
			nil, false,
		},
		"no transaction": {
			"-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently i on t (c);\n",
			[]string{"create index concurrently i on t (c);"},
			nil, true,
		},
		"case and spaces":  {"--  +goose  up\r\nselect 1;\r\n--+goose DOWN\r\n", []string{"select 1;"}, nil, false},
		"comments between": {"-- hello\n-- +goose Up\n-- why\n\nselect 1;\n", []string{"select 1;"}, nil, false},
		"nothing to do":    {"-- +goose Up\n-- +goose Down\nselect 1;\n", nil, []string{"select 1;"}, false},
		"a head of pg_dump": {
			"-- +goose Up\nSET statement_timeout = 0;\nset session lock_timeout to '5s'; " +
				"SET standard_conforming_strings = on;\nreset work_mem;\n",
			[]string{
				"SET statement_timeout = 0;", "set session lock_timeout to '5s';",
				"SET standard_conforming_strings = on;", "reset work_mem;",
			},
			nil, false,
		},
		"set local is fine": {
			"-- +goose Up\nset local work_mem = '1MB';\nset constraints all deferred;\n",
			[]string{"set local work_mem = '1MB';", "set constraints all deferred;"},
			nil, false,
		},
	} {
		m, err := parse("s", "00001_a.sql", c.content)
		if !assert.NoError(t, err, name) {
			continue
		}
		assert.EqualValues(t, 1, m.version, "%s: version", name)
		assert.Equal(t, c.noTx, m.noTx, "%s: noTx", name)
		assert.Equal(t, c.up, sqlOf(m.up), "%s: Up", name)
		assert.Equal(t, c.down, sqlOf(m.down), "%s: Down", name)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for content, line := range map[string]int{
		"":                            0,
		"select 1;\n":                 1,
		"-- +goose Down\nselect 1;\n": 1,
		"-- +goose Up\n\nselect 1\n":  3,
		"-- +goose Up\nselect 1\n-- +goose Down\n":               3,
		"-- +goose Up\n-- +goose StatementBegin\nx;\n":           3,
		"-- +goose Up\n-- +goose StatementEnd\n":                 2,
		"-- +goose Up\n-- +goose Up\n":                           2,
		"-- +goose Up\n-- +goose Sideways\n":                     2,
		"-- +goose ENVSUB ON\n-- +goose Up\nselect 1;\n":         1,
		"-- +goose Up\nselect 1;\ncommit;\n":                     3,
		"-- +goose Up\n/**/ select 1;\n-- c\nBegin ;\n":          4,
		"-- +goose Up\nrollback to s;\n":                         2,
		"-- +goose Up\nset search_path to x;\n":                  2,
		"-- +goose Up\nset role x;\n":                            2,
		"-- +goose Up\nreset all;\n":                             2,
		"-- +goose Up\nset session \"search_path\" = x;\n":       2,
		"-- +goose Up\nset schema 'x';\n":                        2,
		"-- +goose Up\nset session authorization x;\n":           2,
		"-- +goose Up\nreset role;\n":                            2,
		"-- +goose Up\ndiscard temp;\n":                          2,
		"-- +goose Up\nset standard_conforming_strings = off;\n": 2,
	} {
		_, err := parse("s", "00001_a.sql", content)
		var parseErr *ParseError
		if assert.ErrorAs(t, err, &parseErr, "%q: got %v, want a ParseError in line %d", content, err, line) &&
			assert.Equal(t, line, parseErr.Line, "%q: got %v, want a ParseError in line %d", content, err, line) &&
			assert.Equal(t, "00001_a.sql", parseErr.File, "%q: got %v, want a ParseError in line %d", content, err, line) {
			assert.NotEmpty(t, parseErr.Reason, "%q: got %v, want a ParseError in line %d", content, err, line)
		}
	}
	for _, file := range []string{
		"a.sql", "1.sql", "0_a.sql", "-1_a.sql", "1a_b.sql", "_a.sql", "1_.sql", "99999999999999999999_a.sql",
	} {
		_, err := parse("s", file, "-- +goose Up\nselect 1;\n")
		assert.Error(t, err, "file name %q was not refused", file)
	}
}

// FuzzParse checks that the parser loses and adds nothing: the file has every statement, in order.
func FuzzParse(f *testing.F) {
	f.Add("-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;\n")
	f.Add("-- +goose Up\n-- +goose StatementBegin\nx;\ny;\n-- +goose StatementEnd\n")
	f.Add("-- +goose NO TRANSACTION\n-- +goose Up\nselect 1; select E'it''s\\''\n'two'; ;\n")
	f.Add("-- +goose Up\r\n  \r\nselect $$a;\r\n$$, E'\\';' /* ; /* */ */;\r\n")
	f.Fuzz(func(t *testing.T, content string) {
		m, err := parse("s", "1_a.sql", content)
		if err != nil {
			return
		}
		rest := strings.ReplaceAll(content, "\r", "")
		line := 0
		for _, s := range slices.Concat(m.up, m.down) {
			sql := strings.ReplaceAll(s.sql, "\r", "")
			_, after, found := strings.Cut(rest, sql)
			if m.noTx && !found && (sql == "begin" || sql == "commit") {
				continue // around the statements of a block
			}
			require.NotEmpty(t, sql, "statement %q of line %d does not follow in the file", s.sql, s.line)
			require.True(t, found, "statement %q of line %d does not follow in the file", s.sql, s.line)
			require.GreaterOrEqual(t, s.line, line, "statement %q of line %d does not follow in the file", s.sql, s.line)
			rest, line = after, s.line
		}
		again, err := parse("s", "1_a.sql", strings.ReplaceAll(strings.ReplaceAll(content, "\r\n", "\n"), "\n", "\r\n"))
		if err == nil && again.checksum != m.checksum {
			assert.Contains(t, content, "\r", "other line ends make another checksum")
		}
	})
}

// FuzzReadSQL checks that the lexer ends and splits a text without gaps.
func FuzzReadSQL(f *testing.F) {
	f.Add("select 'a''b', \"c\", $x$ ; $x$, E'\\'' /* /* */ */ -- ;\n;")
	f.Add("create function f() returns int language sql begin atomic select 1; select 2; end;")
	f.Fuzz(func(t *testing.T, sql string) {
		readSQL(sql)
		for rest := sql; rest != ""; {
			tok := next(rest)
			n := len(tok.text)
			require.GreaterOrEqual(t, n, 1, "token %q (%q) in %q", tok.text, tok.open, rest)
			require.Equal(t, rest[:n], tok.text, "token %q (%q) in %q", tok.text, tok.open, rest)
			require.False(t, tok.open != "" && n != len(rest), "token %q (%q) in %q", tok.text, tok.open, rest)
			if tok.kind == text && tok.open == "" {
				tok.value()
			}
			rest = rest[n:]
		}
	})
}

func TestStatementsThatTheServerWouldRefuse(t *testing.T) {
	t.Parallel()
	for sql, fine := range map[string]bool{
		"select 1; select 2;": true, // two statements
		"create function f() returns int as $$\nselect 1;\n$$ language sql;": false, // ends within the quote
		"select 'a\n;\n';":                  false,
		"select ';' -- ; x\n;":              true,
		"select 1; -- and no more":          true,
		";select 1;":                        true,
		"select E'\\';';":                   true,
		"select U&\"a;b\", B'1', $1::text;": true,
		"/* a /* ; */ ; */ select 1;":       true,
		"copy a from stdin;":                false,
		"copy a to stdout;":                 false,
		"copy a from '/tmp/x';":             true,
		"/* hidden */ commit;":              false,
		"select $tag$ $ $$ ; $tag$;":        true,
		"create rule r as on insert to a do also (insert into b values (1); insert into c values (1));": true,
		"create function f() returns int language sql begin atomic select 1; end;":                      true,
	} {
		_, err := parse("s", "1_a.sql", "-- +goose Up\n"+sql+"\n")
		assert.Equal(t, fine, err == nil, "%q: %v", sql, err)
		_, err = parse("s", "1_a.sql", "-- +goose Up\n-- +goose StatementBegin\n"+sql+"\n-- +goose StatementEnd\n")
		if fine {
			assert.NoError(t, err, "%q in a block", sql)
		}
	}
}

func TestChecksumIsOfWhatUpDoes(t *testing.T) {
	t.Parallel()
	sum := func(content string) string {
		m, err := parse("s", "1_a.sql", content)
		require.NoError(t, err)
		return m.checksum
	}
	base := "-- +goose Up\nselect 1\n;\nselect 2;\n-- +goose Down\nselect 3;\n"
	for content, same := range map[string]bool{
		strings.ReplaceAll(base, "\n", "\r\n"):                                           true,
		strings.Replace(base, "select 2", "-- why\n\nselect 2", 1):                       true,
		strings.Replace(base, "select 3", "select 4", 1):                                 true,
		strings.Replace(base, "select 1", "select  1", 1):                                false,
		strings.Replace(base, "select 2", "select 4", 1):                                 false,
		"-- +goose NO TRANSACTION\n" + base:                                              false,
		strings.Replace(base, "select 1\n;\nselect 2;\n", "select 2;\nselect 1\n;\n", 1): false,
	} {
		assert.Equal(t, same, sum(content) == sum(base), "%q has the same checksum: %t", content, !same)
	}
}
