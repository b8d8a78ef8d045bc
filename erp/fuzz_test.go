package erp

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzReadStudents checks that a CSV file is read to rows that PostgreSQL can store, or to errors
// with line numbers.
func FuzzReadStudents(f *testing.F) {
	const head = "admission_number,first_name,last_name,date_of_birth,class_id,class,section,year\n"
	f.Add(head + "1,A,B,2012-02-29,1,,,\r\n2,\"A\n\",\"B\"\"\",,,7,b,2026\n")
	f.Add("\ufeffFIRST_NAME,last_name,admission_number\nA,B\n\"")
	f.Add(head + "\x00,\xff,,,99999999999999999999,,,\n,,,,1,7,,\n")
	f.Fuzz(func(t *testing.T, file string) {
		report := &ImportReport{}
		rows, err := readStudents(strings.NewReader(file), report)
		// Reading from a string does not fail.
		require.NoError(t, err)
		lines := 1 + strings.Count(file, "\n") + strings.Count(file, "\r")
		bad := map[int]bool{}
		for _, e := range report.Errors {
			if assert.GreaterOrEqual(t, e.Line, 1, "%q: %+v of %d lines", file, e, lines) &&
				assert.LessOrEqual(t, e.Line, lines, "%q: %+v of %d lines", file, e, lines) &&
				assert.NotEmpty(t, e.Rule, "%q: %+v of %d lines", file, e, lines) {
				assert.True(t, utf8.ValidString(e.Field+e.Rule), "%q: %+v of %d lines", file, e, lines)
			}
			bad[e.Line] = true
		}
		assert.GreaterOrEqual(t, report.Rows, len(rows), "%q: %d rows, %d students", file, report.Rows, len(rows))
		assert.LessOrEqual(t, report.Rows, MaxImportRows, "%q: %d rows, %d students", file, report.Rows, len(rows))
		for _, row := range rows {
			assert.True(t,
				bad[row.line] || report.Omitted != 0 || row.student.Validate() == nil && (row.class == (NewClass{}) ||
					row.class.Validate() == nil),
				"%q: lets %+v through", file, row)
		}
	})
}

// FuzzParams checks that the parameters of a list are refused by name or result in a valid page.
func FuzzParams(f *testing.F) {
	f.Add("after=1&limit=10&q=a&class_id=1&dry_run")
	f.Add("limit=1&limit=2&after=-1&x=%zz;")
	f.Add("q=%00%ff&after=9223372036854775808")
	f.Fuzz(func(t *testing.T, query string) {
		p := readParams(&http.Request{URL: &url.URL{RawQuery: query}})
		id, q := p.id("class_id"), p.text("q")
		page, err := p.page()
		var refused *InputError
		if err != nil {
			if assert.ErrorAs(t, err, &refused, "%q", query) {
				assert.NotEmpty(t, refused.Fields, "%q", query)
			}
			return
		}
		if assert.NoError(t, page.validate(), "%q accepts %+v %d %q", query, page, id, q) &&
			assert.GreaterOrEqual(t, id, int64(0), "%q accepts %+v %d %q", query, page, id, q) &&
			assert.True(t, utf8.ValidString(q), "%q accepts %+v %d %q", query, page, id, q) {
			assert.False(t, strings.ContainsRune(q, 0), "%q accepts %+v %d %q", query, page, id, q)
		}
	})
}

// FuzzParseTag checks that a tag is accepted only in its canonical form.
func FuzzParseTag(f *testing.F) {
	f.Add(Version(1).tag())
	f.Add(Version(1<<62).tag() + ", *")
	f.Add(`W/"1"`)
	f.Fuzz(func(t *testing.T, header string) {
		v, ok := parseTag(header)
		assert.True(t, !ok || v != AnyVersion && v.tag() == header, "%q is parsed to %d", header, v)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("If-Match", header)
		v, err := ifMatch(r)
		if err == nil && v == AnyVersion {
			assert.Equal(t, "*", strings.TrimSpace(header), "If-Match: %q matches anything", header)
		}
	})
}

// FuzzParseSession checks that an accepted session belongs to a user and that its canonical form is
// accepted too.
func FuzzParseSession(f *testing.F) {
	f.Add(Viewer{Role: RoleAdmin, UserID: 1, Generation: 2}.session())
	f.Add("erp.0.0.admin")
	f.Add("erp.1.0.visitor")
	f.Add("erp.+1.00.admin")
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parseSession(text)
		if !ok {
			return
		}
		again, ok := parseSession(v.session())
		assert.True(t, ok, "%q is parsed to %+v, and then to %+v", text, v, again)
		assert.Equal(t, v, again, "%q is parsed to %+v, and then to %+v", text, v, again)
		assert.GreaterOrEqual(t, v.UserID, int64(1), "%q is parsed to %+v, and then to %+v", text, v, again)
		assert.NotEqual(t, RoleVisitor, v.Role, "%q is parsed to %+v, and then to %+v", text, v, again)
	})
}
