package erp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReadStudents checks that a CSV file is read to rows that PostgreSQL can hold or to errors that name their lines, and
// that it ends.
func FuzzReadStudents(f *testing.F) {
	const head = "admission_number,first_name,last_name,date_of_birth,class_id,class,section,year\n"
	f.Add(head + "1,A,B,2012-02-29,1,,,\r\n2,\"A\n\",\"B\"\"\",,,7,b,2026\n")
	f.Add("\ufeffFIRST_NAME,last_name,admission_number\nA,B\n\"")
	f.Add(head + "\x00,\xff,,,99999999999999999999,,,\n,,,,1,7,,\n")
	f.Fuzz(func(t *testing.T, file string) {
		report := &ImportReport{}
		rows, err := readStudents(strings.NewReader(file), report)
		if err != nil {
			t.Fatal(err) // a string can always be read
		}
		lines := 1 + strings.Count(file, "\n") + strings.Count(file, "\r")
		bad := map[int]bool{}
		for _, e := range report.Errors {
			if e.Line < 1 || e.Line > lines || e.Rule == "" || !utf8.ValidString(e.Field+e.Rule) {
				t.Errorf("%q: %+v of %d lines", file, e, lines)
			}
			bad[e.Line] = true
		}
		if report.Rows < len(rows) || report.Rows > MaxImportRows {
			t.Errorf("%q: %d rows, %d students", file, report.Rows, len(rows))
		}
		for _, row := range rows {
			if !bad[row.line] && report.Omitted == 0 && (row.student.Validate() != nil || row.class != (NewClass{}) && row.class.Validate() != nil) {
				t.Errorf("%q: lets %+v through", file, row)
			}
		}
	})
}

// FuzzParams checks that whatever the parameters of a list are, they are refused by name or are a page that can be.
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
			if !errors.As(err, &refused) || len(refused.Fields) == 0 {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		if page.validate() != nil || id < 0 || !utf8.ValidString(q) || strings.ContainsRune(q, 0) {
			t.Errorf("%q lets %+v %d %q through", query, page, id, q)
		}
	})
}

// FuzzParseTag checks that a tag is read only as what was written.
func FuzzParseTag(f *testing.F) {
	f.Add(Version(1).tag())
	f.Add(Version(1<<62).tag() + ", *")
	f.Add(`W/"1"`)
	f.Fuzz(func(t *testing.T, header string) {
		if v, ok := parseTag(header); ok && (v == AnyVersion || v.tag() != header) {
			t.Errorf("%q is read as %d", header, v)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("If-Match", header)
		v, err := ifMatch(r)
		if err == nil && v == AnyVersion && strings.TrimSpace(header) != "*" {
			t.Errorf("If-Match: %q matches anything", header)
		}
	})
}

// FuzzParseSession checks that what is read as a session is a user's, and would be read again.
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
		if again, ok := parseSession(v.session()); !ok || again != v || v.UserID < 1 || v.Role == RoleVisitor {
			t.Errorf("%q is read as %+v, and then as %+v", text, v, again)
		}
	})
}
