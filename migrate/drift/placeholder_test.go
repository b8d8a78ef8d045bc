package drift

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReadFindsTheOwnSchemaAsANameOnly(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"tenant_1.x":                              "{schema}.x",
		`"tenant_1"."x y"`:                        `{schema}."x y"`,
		"TENANT_1.x":                              "{schema}.x",
		`"TENANT_1".x`:                            `"TENANT_1".x`,
		"tenant_10.x":                             "tenant_10.x",
		"my_tenant_1.x":                           "my_tenant_1.x",
		"a.tenant_1.x":                            "a.tenant_1.x",
		"select tenant_1 from tenant_1.tenant_1":  "select tenant_1 from {schema}.tenant_1",
		"'tenant_1.x'::text":                      "'tenant_1.x'::text",
		"nextval('tenant_1.x'::regclass)":         "nextval('{schema}.x'::regclass)",
		`nextval('"tenant_1".x'::regclass)`:       "nextval('{schema}.x'::regclass)",
		"nextval(('tenant_1.x'::text)::regclass)": "nextval(('{schema}.x'::text)::regclass)",
		"currval( 'tenant_1.x')":                  "currval( '{schema}.x')",
		"to_regclass('tenant_1.x')":               "to_regclass('{schema}.x')",
		"my_nextval('tenant_1.x')":                "my_nextval('tenant_1.x')",
		"'tenant_1'::regnamespace":                "'{schema}'::regnamespace",
		"'it''s tenant_1.x', tenant_1.y":          "'it''s tenant_1.x', {schema}.y",
		`E'\'tenant_1.x' || tenant_1.y`:           `E'\'tenant_1.x' || {schema}.y`,
		"-- tenant_1.x\ntenant_1.y":               "-- tenant_1.x\n{schema}.y",
		"/* /* */ tenant_1.x */ tenant_1.y":       "/* /* */ tenant_1.x */ {schema}.y",
		"$a$ tenant_1.x $b$ $a$ || tenant_1.y":    "$a$ tenant_1.x $b$ $a$ || {schema}.y",
		"$1.tenant_1 + tenant_1.f($2)":            "$1.tenant_1 + {schema}.f($2)",
		"x::tenant_1.mood[] = 'a'::tenant_1.mood": "x::{schema}.mood[] = 'a'::{schema}.mood",
		`"a""tenant_1.x"`:                         `"a""tenant_1.x"`,
		`"""tenant_1""".x`:                        `"""tenant_1""".x`,
		`''::regclass, "".tenant_1, tenant_1.x`:   `''::regclass, "".tenant_1, {schema}.x`,
		"nextval('tenant_1.x":                     "nextval('tenant_1.x",
		"'tenant_1.x":                             "'tenant_1.x",
		`"tenant_1`:                               `"tenant_1`,
		"étenant_1.x":                             "étenant_1.x",
		"tenant_1":                                "tenant_1",
	} {
		got := neutral(in, "tenant_1")
		assert.Equal(t, want, got, "%s\n\tgot  %s\n\twant", in, got)
	}
	for in, want := range map[string]string{
		"search_path=tenant_1, pg_temp":  "search_path={schema}, pg_temp",
		`search_path="tenant_1", public`: "search_path={schema}, public",
		"search_path=tenant_10":          "search_path=tenant_10",
	} {
		assert.Equal(t, want, neutralList(in, "tenant_1"), in)
	}
}

func TestReadOfASchemaCalledAsATable(t *testing.T) {
	t.Parallel()
	inScratch := neutral("SELECT students.id FROM scratch.students", "scratch")
	inStudents := neutral("SELECT students.id FROM students.students", "students")
	assert.True(t, same(inStudents, inScratch, "students"), "%q is not the same as %q", inStudents, inScratch)
	other := neutral("SELECT students.id FROM other.students", "students")
	assert.False(t, same(other, inScratch, "students"), "%q is the same as %q", other, inScratch)
}

func FuzzReplaceSchema(f *testing.F) {
	for _, seed := range []string{
		"tenant_1.x", `"tenant_1".x`, "'tenant_1.x'::regclass", "$$tenant_1.x$$", "E'\\", "/*/", "$a", `"`, "--",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		out := neutral(sql, "tenant_1")
		if strings.Count(out, placeholder) == strings.Count(sql, placeholder) {
			assert.Equal(t, sql, out, "%q became", sql)
		}
		if !strings.Contains(strings.ToLower(sql), "tenant_1") {
			assert.Equal(t, sql, out, "%q became", sql)
		}
	})
}
