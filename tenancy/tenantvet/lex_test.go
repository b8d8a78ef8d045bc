package tenantvet

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTokensAreThoseOfPostgreSQL(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"":                          "",
		"Select 1":                  "select|1",
		`"A""b".c`:                  `"A"b|.|c`,
		"'it''s' x":                 "'it's|x",
		`E'a\'b' x`:                 "'a'b|x",
		`'a\' x`:                    `'a\|x`,
		"a -- b\nc":                 "a|c",
		"a /* /* b */ */ c":         "a|c",
		"$$ a $$ b":                 "{ a |b",
		"$x$ $$ a $x$ b":            "{ $$ a |b",
		"$1 + $2":                   "$|1|+|$|2",
		"'open":                     "'open",
		"/* open":                   "",
		"$$ open":                   "{ open",
		"ä_1$b":                     "ä_1$b",
		"x.e'a'":                    "x|.|'a",
		"set_config('a'::text, $1)": "set_config|(|'a|:|:|text|,|$|1|)",
	} {
		var got []string
		for _, tok := range tokensOf(sql) {
			prefix := map[tokenKind]string{tokenName: `"`, tokenString: "'", tokenBody: "{"}[tok.kind]
			got = append(got, prefix+tok.text)
		}
		assert.Equal(t, want, strings.Join(got, "|"), "%q", sql)
	}
}

func FuzzFindings(f *testing.F) {
	for _, sql := range []string{
		"set role x", "select 'a", "do $x$ begin set role x; end $x$", "$$$$$", "tenant_2.x", `"`, "/*/", "e'\\", "$a$$a",
		"set local",
	} {
		f.Add(sql)
	}
	schemas := regexp.MustCompile("^(?:" + defaultSchemas + ")$")
	f.Fuzz(func(t *testing.T, sql string) {
		findings(sql, schemas) // must return, and must not panic
		assert.Empty(t,
			findings("/* "+strings.NewReplacer("*/", "", "/*", "", "/", "", "*", "").Replace(sql)+" */", schemas),
			"a finding in a comment: %q", sql)
		assert.NotEmpty(t, findings("set role x; "+sql, schemas), "no finding before %q", sql)
	})
}
