package erp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
)

const header = "admission_number,first_name,last_name,date_of_birth,class,section,year\n"

func (f *fixture) importStudents(query, file string, headers ...string) (status int, body string) {
	w := request(
		f.admin,
		"POST",
		f.a.Host,
		"/api/students/import"+query,
		file,
		append([]string{"Content-Type: text/csv"}, headers...)...)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestAFileOfStudentsIsImported(t *testing.T) {
	t.Parallel()
	f := setup(t)
	exec(t, f, f.a, "insert into classes (name, section, year) values ('7', 'b', 2026), ('8', '', 2026)")
	file := "\ufeffLast_Name, first_name ,admission_number,date_of_birth,class,section,year\r\n" +
		"\"O'Hara, \"\"Kit\"\"\",Katherine,K-1,2012-02-29,7,b,2026\r\n" +
		"Robert'); drop table students;--,\"two\nlines\",K-2,,8,,2026\r\n" +
		"=1+1,Ünal,K-3,,,,\r\n"
	status, body := f.importStudents("", file)
	require.Equal(t, 422, status, body)
	require.Contains(t, body, `{"line":3,"field":"first_name","detail":"holds a control character"}`)
	file = strings.Replace(file, "two\nlines", "Bobby", 1)
	status, body = f.importStudents("?dry_run=true", file)
	require.Equal(t, 200, status, body)
	require.Equal(t, `{"rows":3,"created":0,"dry_run":true,"errors":[]}`, body)
	n := f.students(t)
	require.Equal(t, [2]int{}, n, "after a refusal and a dry run there are %v students", n)
	status, body = f.importStudents("", file, "Content-Type: text/csv; charset=UTF-8")
	require.Equal(t, 201, status, body)
	require.Equal(t, `{"rows":3,"created":3,"dry_run":false,"errors":[]}`, body)
	got := decode[listing](t, request(f.admin, "GET", f.a.Host, "/api/students/", ""))
	var all []string
	for _, s := range got.Students {
		class := int64(0)
		if s.ClassID != nil {
			class = *s.ClassID
		}
		all = append(all, fmt.Sprint(s.AdmissionNumber, "|", s.FirstName, "|", s.LastName, "|", class))
	}
	want := `K-1|Katherine|O'Hara, "Kit"|1 K-2|Bobby|Robert'); drop table students;--|2 K-3|Ünal|=1+1|0`
	assert.Equal(t, want, strings.Join(all, " "))
	n = f.students(t)
	assert.Equal(t, [2]int{3, 0}, n, "the schools have %v students", n)
}

func TestImportWithErrorsWritesNothingAndListsTheRows(t *testing.T) {
	t.Parallel()
	f := setup(t)
	exec(t, f, f.a, "insert into classes (name, year) values ('7', 2026)")
	exec(t, f, f.b, "insert into classes (name, year) values ('x', 2026), ('only there', 2026)")
	exec(t, f, f.a, "insert into students (admission_number, first_name, last_name) values ('taken', 'A', 'B')")
	for name, c := range map[string]struct{ file, errors string }{
		"one good, five bad": {
			header + "1,A,B,,7,,2026\n2,,B,,,,\n1,A,B,,,,\ntaken,A,B,2012-13-01,,,\n4,A,B,,8,,2026\n5,A,B,,7,,year\n",
			`{"line":3,"field":"first_name","detail":"is empty"},{"line":4,"field":"admission_number",` +
				`"detail":"is that of line 2 too"},` +
				`{"line":5,"field":"date_of_birth","detail":"is not a day like 2006-01-02"},` +
				`{"line":5,"field":"admission_number","detail":"is taken by another student"},` +
				`{"line":6,"field":"class","detail":"is no class of this school"},` +
				`{"line":7,"field":"class","detail":"is none that there could be: year is not between 1900 and 2200"}`,
		},
		"a class of the other school": {
			"admission_number,first_name,last_name,class_id\n1,A,B,1\n2,A,B,2\n3,A,B,x\n",
			`{"line":3,"field":"class_id","detail":"is no class of this school"},` +
				`{"line":4,"field":"class_id","detail":"is no class of this school"}`,
		},
		"a class twice": {
			"admission_number,first_name,last_name,class_id,class\n1,A,B,1,7\n",
			`{"line":2,"field":"class_id","detail":"is there beside the names of a class"}`,
		},
		"too few fields": {header + "1,A\n2,A,B,,,,\n", `{"line":2,"detail":"has not as many fields as the header"}`},
		"a stray quote": {
			header + "1,A,B,,,,\n2,A\",B,,,,\n3,,,,,,\n", `{"line":3,"detail":"is not CSV: a quote is out of place"}`,
		},
		"an open quote": {header + "\"1,A,B,,,,\n", `{"line":2,"detail":"is not CSV: a quote is out of place"}`},
		"empty":         {"", `{"line":1,"detail":"is missing: the first row names the columns"}`},
		"no such column": {
			"admission_number,first_name,last_name,shoe\n1,A,B,40\n",
			`{"line":1,"field":"shoe","detail":"is not a known column: admission_number, first_name, last_name, ` +
				`date_of_birth, class_id, class, section, year"}`,
		},
		"a column twice": {
			"admission_number,first_name,last_name,first_name\n", `{"line":1,"field":"first_name","detail":"is there twice"}`,
		},
		"a column is absent": {"admission_number;first_name;last_name\n", ``},
		"NUL and not UTF-8": {
			header + "\x00,A,B,,,,\n2,\xff,B,,,,\n",
			`{"line":2,"field":"admission_number","detail":"holds a control character"},` +
				`{"line":3,"field":"first_name","detail":"is not valid UTF-8"}`,
		},
		"not UTF-8 headings": {"\xff,first_name,last_name\n", ``},
	} {
		status, body := f.importStudents("", c.file)
		assert.Equal(t, 422, status, "%s: %d %s\nwant %s", name, status, body, c.errors)
		assert.Contains(t, body, `"created":0`, "%s: %d %s\nwant %s", name, status, body, c.errors)
		assert.False(t, c.errors != "" && !strings.Contains(body, `"errors":[`+c.errors+`]`),
			"%s: %d %s\nwant %s", name, status, body, c.errors)
	}
	n := f.students(t)
	assert.Equal(t, [2]int{1, 0}, n, "the schools have %v students", n)
}

func TestImportHasLimits(t *testing.T) {
	t.Parallel()
	f := setup(t)
	rows := func(n int) string {
		var b strings.Builder
		b.WriteString("admission_number,first_name,last_name\n")
		for i := range n {
			fmt.Fprintf(&b, "%d,A,B\n", i)
		}
		return b.String()
	}
	for _, contentType := range []string{
		"application/json", "text/plain", "", "text/csv; charset=latin1", "text/csv; charset=",
	} {
		w := request(f.admin, "POST", f.a.Host, "/api/students/import", rows(1), "Content-Type: "+contentType)
		expectProblem(t, contentType, w, http.StatusUnsupportedMediaType, "")
	}
	status, body := f.importStudents("?dryrun", rows(1))
	assert.Equal(t, 422, status, body)
	assert.Contains(t, body, "dryrun is not a known parameter")
	status, body = f.importStudents("", header+strings.Repeat(",", 10<<20))
	assert.Equal(t, http.StatusRequestEntityTooLarge, status, body)
	status, body = f.importStudents("", rows(erp.MaxImportRows+1))
	assert.Equal(t, 422, status, body)
	assert.Contains(t, body, `[{"line":10002,"detail":"is one too many: a file can have 10000 rows"}]`)
	beyond := rows(erp.MaxImportRows-1) + "short\nshort\n" + strings.Repeat("x,A,B\n", 1000)
	status, body = f.importStudents("", beyond)
	assert.Equal(t, 422, status, "%.300s", body)
	assert.Contains(t, body, `"rows":10000,`)
	assert.True(t, strings.HasSuffix(body, `{"line":10002,"detail":"is one too many: a file can have 10000 rows"}]}`),
		"%d %.300s", status, body)
	status, body = f.importStudents("", header+strings.Repeat(",,,,,,\n", 2000))
	assert.Equal(t, 422, status)
	assert.True(t, strings.Contains(body, `"omitted":5000`), body[max(0, len(body)-100):])
	n := f.students(t)
	require.Equal(t, [2]int{}, n, "the schools have %v students", n)
	status, body = f.importStudents("", rows(erp.MaxImportRows))
	assert.Equal(t, 201, status, body)
	n = f.students(t)
	assert.Equal(t, [2]int{erp.MaxImportRows, 0}, n, "the schools have %v students", n)
}

// A read error is returned, not reported as an error of a row.
func TestImportOfATruncatedFile(t *testing.T) {
	t.Parallel()
	f := setup(t)
	broken := errors.New("cable pulled")
	file := io.MultiReader(strings.NewReader(header+"1,A,B,,,,\n"), failingReader{broken})
	_, err := erp.NewStudents(f.db).Import(erp.NewContext(f.a.Context(), erp.System()), file, erp.ImportOptions{})
	assert.ErrorIs(t, err, broken)
	n := f.students(t)
	assert.Equal(t, [2]int{}, n, "the schools have %v students", n)
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
