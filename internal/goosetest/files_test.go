package goosetest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// alike are files in which both must find the same statements, in both directions.
var alike = map[string]string{
	"plain":                   "-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;\n",
	"no final newline":        "-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;",
	"windows":                 "-- +goose Up\r\nselect 1\r\n  ,2;\r\n-- +goose Down\r\nselect 2;\r\n",
	"a stray carriage return": "-- +goose Up\nselect 1\r,2;\n",
	"comments everywhere": "-- a\n\n-- +goose Up\n-- b\nselect 1 -- c;\n-- d;\n, 2; -- e\n-- f\n\n-- +goose Down\n" +
		"-- g\nselect 2;\n-- h\n",
	"blanks before a comment": "-- +goose Up\n  \n-- kept\nselect 1;\n\t\n-- +goose Down\n \nselect 2;\n",
	"block comment":           "-- +goose Up\n/* a; b\n c */ select 1;\nselect /* ; */ 2;\n",
	"dollar quotes": "-- +goose Up\n-- +goose StatementBegin\ndo $x$\nbegin\n\n  -- why\n  perform 1;\n" +
		"end;\n$x$;\n-- +goose StatementEnd\nselect 2;\n",
	"dollar quote in a line": "-- +goose Up\nselect $$a;b$$;\n",
	"quotes": "-- +goose Up\nselect 'a;b', \"c;d\" from (select 1 as \"c;d\") x;\n" +
		"select E'\\';', 'it''s;';\n",
	"a block without semicolon": "-- +goose Up\n-- +goose StatementBegin\nselect 1\n-- +goose StatementEnd\n",
	"two blocks": "-- +goose Up\n-- +goose StatementBegin\n\nselect 1;\n-- +goose StatementEnd\n" +
		"-- +goose StatementBegin\nselect 2;\n-- +goose StatementEnd\n",
	"no transaction":            "-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;\n",
	"no transaction at the end": "-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;\n-- +goose NO TRANSACTION\n",
	"dashes after":              "-- +goose Up --\nselect 1;\n",
	"a tab between":             "--\t+goose\tUp\nselect 1;\n",
	"only Down":                 "-- +goose Up\n-- +goose Down\nselect 2;\n",
	"semicolon apart":           "-- +goose Up\nselect 1\n;\n",
	"BEGIN ATOMIC": "-- +goose Up\n-- +goose StatementBegin\n" +
		"create function f() returns int language sql begin atomic\n select 1;\n select 2;\nend;\n-- +goose StatementEnd\n",
	"not ASCII": "-- +goose Up\nselect 'grüße; 世界';\n",
}

func TestGooseAndMigrateSendTheSameStatements(t *testing.T) {
	t.Parallel()
	for name, content := range alike {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, fstest.MapFS{"00001_a.sql": {Data: []byte(content)}})
			plan, err := b.runner.PlanUp(t.Context(), schema, migrate.Newest)
			require.NoError(t, err)
			_, err = b.goose.Up(t.Context())
			require.NoError(t, err)
			compare(t, "up", b.traced.take(), plan)
			if !strings.Contains(strings.ToLower(content), "goose down") {
				return // without the annotation goose undoes it, and package migrate does not
			}
			plan, err = b.runner.PlanDown(t.Context(), schema, 0)
			require.NoError(t, err)
			_, err = b.goose.Down(t.Context())
			require.NoError(t, err)
			compare(t, "down", b.traced.take(), plan)
		})
	}
}

// compare compares what goose has sent, without its own queries, with what package migrate plans.
func compare(t *testing.T, direction string, sent []string, plan migrate.Plan) {
	t.Helper()
	var fromGoose, fromMigrate []string
	for _, sql := range sent {
		own := strings.Contains(sql, "goose_db_version") || sql == "begin" || sql == "commit" || sql == "-- ping" ||
			sql == ";"
		if !own {
			fromGoose = append(fromGoose, sql)
		}
	}
	for _, c := range plan.Migrations() {
		fromMigrate = append(fromMigrate, c.SQL)
	}
	assert.Equal(t, squeeze(fromMigrate), squeeze(fromGoose), "%s: goose sends %q, migrate sends %q",
		direction, fromGoose, fromMigrate)
}

// squeeze joins texts and removes white space and empty statements, because goose sends two
// statements of a line as one text.
func squeeze(sql []string) string {
	all := strings.Join(strings.Fields(strings.Join(sql, " ")), " ")
	return strings.NewReplacer("; ;", ";", " ", "").Replace(all)
}

func TestGooseAndMigrateParseFilesAlike(t *testing.T) {
	t.Parallel()
	for name, content := range alike {
		assert.NoError(t, agree(t, content), name)
	}
}

// FuzzParse checks that goose accepts every file that New accepts, with the same statements.
func FuzzParse(f *testing.F) {
	for _, content := range alike {
		f.Add(content)
	}
	for _, content := range corpus(f) {
		f.Add(content)
	}
	for _, file := range stricter {
		f.Add(file[0])
	}
	for _, content := range refused {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		assert.NoError(t, agree(t, content))
	})
}

// agree returns an error if New accepts a file and goose reads it in another way.
func agree(t testing.TB, content string) error {
	r, err := newRunner(t, content)
	if err != nil {
		return nil
	}
	fromGoose, err := gooseParses(t, strings.TrimPrefix(content, "\ufeff")) // goose does not know byte order marks
	if err != nil {
		return fmt.Errorf("goose refuses %q: %w", content, err)
	}
	m := r.Migrations()[0]
	if m.Checksum != fromGoose.checksum() || m.Transaction != fromGoose.tx && len(fromGoose.sql) > 0 {
		return fmt.Errorf("%q: goose parses %q, transaction %t, and package migrate something else",
			content, fromGoose.sql, fromGoose.tx)
	}
	return nil
}

// stricter are files that goose accepts and New refuses, each with the reason.
var stricter = [][2]string{
	{"-- +goose ENVSUB ON\n-- +goose Up\nselect 1;\n", "is the same everywhere"},
	{"-- +goose Up\nselect 1\n-- +goose NO TRANSACTION\n;\n", "annotation inside a statement"},
	{"-- +goose Up\nselect 1\n-- +goose StatementBegin\n;\n-- +goose StatementEnd\n", "annotation inside a statement"},
	{"-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementEnd\nselect 1;\n", "goose drops this line"},
	{"-- +goose Up\ncommit;\n", "leave it out"},
	{"-- +goose Up\nset search_path = x;\n", "SET LOCAL"},
	{"-- +goose Up\nselect 1;\n-- +goose Down\nselect 'a;\n", "ends within a quote"},
	{
		"-- +goose Up\nselect 1;\n-- +goose Down\n-- +goose StatementBegin\nselect '\xff';\n-- +goose StatementEnd\n",
		"UTF-8",
	},
	{"-- +goose Up\nselect 1;\n-- +goose Down\ncopy a from stdin;\n", "COPY"},
}

func TestMigrateIsStricterThanGoose(t *testing.T) {
	t.Parallel()
	for _, file := range stricter {
		content, reason := file[0], file[1]
		_, err := newRunner(t, content)
		assert.ErrorContains(t, err, reason, "%q", content)
		fromGoose, _ := gooseParses(t, content)
		assert.NotNil(t, fromGoose, "%q: goose refuses it too", content)
	}
}

// refused are files that both refuse.
var refused = []string{
	"",
	"select 1;\n",
	"-- +goose Down\nselect 1;\n",
	"-- +goose Up\nselect 1\n",
	"-- +goose Up\nselect 1\n-- +goose Down\n",
	"-- +goose Up\n-- +goose StatementBegin\nselect 1;\n",
	"-- +goose Up\n-- +goose Up\n",
	"-- +goose Up\n-- +goose Down\n-- +goose Down\n",
	"-- +goose Up\n-- +goose Sideways\n",
	" -- +goose Up\nselect 1;\n",
	"-- +goose Up\n-- see +goose for more\nselect 1;\n",
	"-- +goose Up\n-- +goose StatementEnd\n",
	"-- +goose StatementBegin\n-- +goose Up\n",
	"-- +goose NO  TRANSACTION\n-- +goose Up\nselect 1;\n",
	"-- +goose Up +goose Down\n",
	"-- +goose\n-- +goose Up\n",
}

func TestGooseAndMigrateRefuse(t *testing.T) {
	t.Parallel()
	for _, content := range refused {
		_, err := newRunner(t, content)
		assert.Error(t, err, "%q: package migrate accepts it", content)
		fromGoose, err := gooseParses(t, content)
		assert.Error(t, err, "%q: goose accepts it: %v", content, fromGoose)
	}
}
