package erp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// request sends a request to a host, with JSON by default.
func request(h http.Handler, method, host, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = host
	r.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

type listing struct {
	Students []erp.Student `json:"students"`
	Next     int64         `json:"next"`
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), w.Body)
	return v
}

func TestSchoolsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	schools := map[string]*tenancytest.Tenant{"a": f.a, "b": f.b}
	for name, school := range schools {
		w := request(
			f.admin,
			"POST",
			school.Host,
			"/api/students/",
			fmt.Sprintf(
				`{"admission_number": "1", "first_name": "First", "last_name": "of %s", "date_of_birth": "2012-02-29"}`,
				name,
			),
		)
		require.Equal(t, http.StatusCreated, w.Code, "%d %s %s", w.Code, w.Header().Get("Location"), w.Body)
		require.Equal(t, "/api/students/1", w.Header().Get("Location"), w.Body)
	}
	for name, school := range schools {
		for _, path := range []string{"/api/students", "/api/students/"} {
			got := decode[listing](t, request(f.admin, "GET", school.Host, path, ""))
			if assert.Len(t, got.Students, 1, "%s%s: %+v", name, path, got) &&
				assert.Equal(t, "of "+name, got.Students[0].LastName, "%s%s: %+v", name, path, got) {
				assert.Equal(t, "2012-02-29", got.Students[0].DateOfBirth.String(), "%s%s: %+v", name, path, got)
			}
		}
		got := decode[erp.Student](t, request(f.admin, "GET", school.Host+":8000", "/api/students/1", ""))
		assert.Equal(t, "of "+name, got.LastName, "%s: %+v", name, got)
	}
	w := request(f.admin, "GET", "example.com", "/api/students/", "")
	assert.Equal(t, http.StatusNotFound, w.Code, "the public host serves the API of a school: %d %s", w.Code, w.Body)
}

// A handler on A's host reads B's table by its qualified name. The search_path alone would allow
// that.
func TestHandlerThatReachesForAnotherSchool(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var err error
	h := f.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err = f.db.Exec(r.Context(), "select * from "+pgx.Identifier{f.b.Schema, "students"}.Sanitize())
	}))
	request(h, "GET", f.a.Host, "/", "")
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr, "got %v, want permission denied (42501)", err) {
		assert.Equal(t, "42501", pgErr.Code, "got %v, want permission denied (42501)", err)
	}
	request(h, "GET", f.b.Host, "/", "")
	assert.NoError(t, err, "B itself")
}

func TestBadRequestsAreRefusedAndWriteNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const valid = `"first_name": "A", "last_name": "B"`
	request(f.admin, "POST", f.a.Host, "/api/students/", `{"admission_number": "taken", `+valid+`}`)
	before := f.students(t)
	long := strings.Repeat("ü", 101)
	for name, c := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"empty":         {"", 400, ""},
		"not JSON":      {"admission_number=1", 400, ""},
		"cut off":       {`{"admission_number": "1", `, 400, ""},
		"an array":      {`[]`, 400, ""},
		"two values":    {`{"admission_number": "1", ` + valid + `} {}`, 400, ""},
		"unknown field": {`{"admission_number": "1", "fist_name": "A", ` + valid + `}`, 400, "fist_name"},
		"wrong type":    {`{"admission_number": 1, ` + valid + `}`, 400, "admission_number"},
		"class is text": {`{"admission_number": "1", "class_id": "x", ` + valid + `}`, 400, "class_id"},
		"no such day": {
			`{"admission_number": "1", "date_of_birth": "2011-02-29", ` + valid + `}`, 400, "date_of_birth",
		},
		"date with time": {
			`{"admission_number": "1", "date_of_birth": "2011-02-28T00:00:00Z", ` + valid + `}`, 400, "date_of_birth",
		},
		"date is a number": {`{"admission_number": "1", "date_of_birth": 5, ` + valid + `}`, 400, "date_of_birth"},
		"no number":        {`{` + valid + `}`, 422, "admission_number"},
		"number of 51": {
			`{"admission_number": "` + strings.Repeat("1", 51) + `", ` + valid + `}`, 422, "admission_number",
		},
		"long first name": {
			`{"admission_number": "1", "first_name": "` + long + `", "last_name": "B"}`, 422, "first_name",
		},
		"long last name": {
			`{"admission_number": "1", "first_name": "A", "last_name": "` + long + `"}`, 422, "last_name",
		},
		"NUL": {`{"admission_number": "1\u0000", ` + valid + `}`, 422, "admission_number"},
		"born tomorrow": {
			`{"admission_number": "1", "date_of_birth": "2999-01-01", ` + valid + `}`, 422, "date_of_birth",
		},
		"born long ago": {
			`{"admission_number": "1", "date_of_birth": "0001-01-01", ` + valid + `}`, 422, "date_of_birth",
		},
		"unknown class":  {`{"admission_number": "1", "class_id": 99, ` + valid + `}`, 422, "class_id"},
		"negative class": {`{"admission_number": "1", "class_id": -1, ` + valid + `}`, 422, "class_id"},
		"huge class": {
			`{"admission_number": "1", "class_id": 99999999999999999999, ` + valid + `}`, 400, "class_id",
		},
		"taken":           {`{"admission_number": "taken", ` + valid + `}`, 409, "admission_number"},
		"more than a MiB": {`{"admission_number": "` + strings.Repeat("1", 1<<20) + `", ` + valid + `}`, 413, ""},
		"a MiB of blanks": {`{"admission_number": "1", ` + valid + `}` + strings.Repeat(" ", 1<<20), 413, ""},
		"SQL is just a value": {
			`{"admission_number": "` + strings.Repeat("'; drop table students; --", 3) + `", ` + valid + `}`, 422,
			"admission_number",
		},
	} {
		w := request(f.admin, "POST", f.a.Host, "/api/students/", c.body)
		expectProblem(t, name, w, c.status, c.field)
	}
	expectProblem(t, "a form",
		request(f.admin, "POST", f.a.Host, "/api/students/", "a=b", "Content-Type: application/x-www-form-urlencoded"), 415,
		"")
	expectProblem(t, "no type", request(f.admin, "POST", f.a.Host, "/api/students/", "{}", "Content-Type: "), 415, "")
	for path, status := range map[string]int{
		"/api/students/0": 404, "/api/students/-1": 404, "/api/students/x": 404, "/api/students/99": 404,
		"/api/students/99999999999999999999": 404, "/api/students/1/x": 404, "/nowhere": 404, "/": 404,
		"/api/students/?limit=0": 422, "/api/students/?limit=1001": 422, "/api/students/?limit=x": 422,
		"/api/students/?after=-1": 422, "/api/students/?classid=1": 422, "/api/students/?class_id=1&class_id=2": 422,
		"/api/students/?q=%00": 422, "/api/students/?q=%ff": 422, "/api/students/?%": 422,
	} {
		expectProblem(t, path, request(f.admin, "GET", f.a.Host, path, ""), status, "")
	}
	for _, path := range []string{"/api/students", "/api/students/", "/api/students/1"} {
		w := request(f.admin, "PATCH", f.a.Host, path, "")
		expectProblem(t, "PATCH "+path, w, 405, "")
		assert.NotEmpty(t, w.Header().Get("Allow"), "PATCH %s: no Allow", path)
	}
	after := f.students(t)
	assert.Equal(t, before, after, "students of both schools were %v and are %v", before, after)
}

func TestEveryRefusedFieldIsNamed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := expectProblem(t, "all", request(f.admin, "POST", f.a.Host, "/api/students/", `{"class_id": 0}`), 422,
		"admission_number")
	var fields []string
	for _, field := range p.Fields {
		fields = append(fields, field.Field)
	}
	assert.Equal(t, "admission_number first_name last_name class_id", strings.Join(fields, " "), "fields")
}

func TestPages(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for i := range 5 {
		request(f.admin, "POST", f.a.Host, "/api/students/",
			fmt.Sprintf(`{"admission_number": "%d", "first_name": "A", "last_name": "B"}`, i))
	}
	var seen []string
	after := int64(0)
	for pages := 0; ; pages++ {
		got := decode[listing](
			t,
			request(f.admin, "GET", f.a.Host, fmt.Sprintf("/api/students/?limit=2&after=%d", after), ""),
		)
		for _, s := range got.Students {
			seen = append(seen, s.AdmissionNumber)
		}
		if after = got.Next; after == 0 {
			assert.Equal(t, 2, pages, "%d further pages, want 2", pages)
			break
		}
	}
	assert.Equal(t, "01234", strings.Join(seen, ""), "saw %q", seen)
	w := request(f.admin, "GET", f.b.Host, "/api/students/", "")
	assert.Equal(t, `{"students":[]}`, strings.TrimSpace(w.Body.String()), "an empty list is %s", w.Body)
}

// A page can pass on any input. Text that PostgreSQL cannot store matches no row.
func TestSearchForInvalidTextFindsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	request(f.admin, "POST", f.a.Host, "/api/students/", `{"admission_number": "1", "first_name": "A", "last_name": "B"}`)
	ctx := erp.NewContext(f.a.Context(), erp.System())
	for _, text := range []string{"\x00", "A\x00", "\xff"} {
		students, _, err := erp.NewStudents(f.db).List(ctx, erp.StudentFilter{Search: text}, erp.Page{})
		assert.NoError(t, err, "students %q: %v", text, students)
		assert.Empty(t, students, "%q", text)
		fees, _, err := erp.NewFees(f.db).List(ctx, erp.FeeFilter{Status: erp.FeeStatus(text)}, erp.Page{})
		assert.NoError(t, err, "fees %q: %v", text, fees)
		assert.Empty(t, fees, "%q", text)
		users, _, err := erp.NewUsers(f.db).List(ctx, erp.UserFilter{Role: erp.Role(text)}, erp.Page{})
		assert.NoError(t, err, "users %q: %v", text, users)
		assert.Empty(t, users, "%q", text)
	}
}

func expectProblem(
	t *testing.T,
	name string,
	w *httptest.ResponseRecorder,
	status int,
	field string,
) tenanthttp.Problem {
	t.Helper()
	var p tenanthttp.Problem
	assert.NoError(t, json.Unmarshal(w.Body.Bytes(), &p), "%s: body %q", name, w.Body)
	assert.Equal(t, status, w.Code, "%s: %d %s, want", name, w.Code, w.Body)
	assert.Equal(t, status, p.Status, "%s: %d %s, want", name, w.Code, w.Body)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), "%s: %d %s, want", name, w.Code, w.Body)
	assert.True(t, field == "" || len(p.Fields) != 0 && p.Fields[0].Field == field,
		"%s: fields %+v, want %s", name, p.Fields, field)
	return p
}
