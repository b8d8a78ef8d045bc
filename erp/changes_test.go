package erp_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
)

func TestChangesNeedTheCurrentVersion(t *testing.T) {
	t.Parallel()
	f := setup(t)
	created := request(f.admin, "POST", f.a.Host, "/api/classes/", `{"name": "7", "year": 2026}`)
	first := created.Header().Get("ETag")
	require.Equal(t, 201, created.Code, "%d %s %v", created.Code, created.Body, created.Header())
	require.Equal(t, "/api/classes/1", created.Header().Get("Location"),
		"%d %s %v", created.Code, created.Body, created.Header())
	require.NotEmpty(t, first, "%d %s %v", created.Code, created.Body, created.Header())
	read := request(f.admin, "GET", f.a.Host, "/api/classes/1", "")
	tag := read.Header().Get("ETag")
	assert.Equal(t, first, tag, "read %s %s, created %s %s", tag, read.Body, first, created.Body)
	assert.Equal(t, created.Body.String(), read.Body.String(),
		"read %s %s, created %s %s", tag, read.Body, first, created.Body)
	put := func(name string, headers ...string) (status int, tag string) {
		w := request(f.admin, "PUT", f.a.Host, "/api/classes/1/", `{"name": "`+name+`", "year": 2026}`, headers...)
		return w.Code, w.Header().Get("ETag")
	}
	status, _ := put("8")
	assert.Equal(t, http.StatusPreconditionRequired, status, "without If-Match")
	status, second := put("8", "If-Match: "+first)
	require.Equal(t, 200, status, "%d %s after %s", status, second, first)
	require.NotEqual(t, first, second, "%d %s after %s", status, second, first)
	require.NotEmpty(t, second, "%d %s after %s", status, second, first)
	for _, stale := range []string{
		first, "W/" + second, strings.Trim(second, `"`), second + ", " + first, `"x"`, `""`, `"-1"`, `"0"`, ",",
	} {
		status, _ := put("9", "If-Match: "+stale)
		assert.Equal(t, http.StatusPreconditionFailed, status, "If-Match: %s", stale)
		w := request(f.admin, "DELETE", f.a.Host, "/api/classes/1", "", "If-Match: "+stale)
		assert.Equal(t, http.StatusPreconditionFailed, w.Code, "delete with If-Match: %s: %d %s", stale, w.Code, w.Body)
	}
	expectProblem(t, "delete", request(f.admin, "DELETE", f.a.Host, "/api/classes/1", ""), 428, "")
	status, _ = put("9", "If-Match: *")
	assert.Equal(t, 200, status, "whatever is there")
	third := request(f.admin, "GET", f.a.Host, "/api/classes/1", "").Header().Get("ETag")
	for tag, status := range map[string]int{
		third: 304, "W/" + third: 304, first + " , " + third: 304, "*": 304, first: 200, `"x"`: 200,
	} {
		w := request(f.admin, "GET", f.a.Host, "/api/classes/1", "", "If-None-Match: "+tag)
		if assert.Equal(t, status, w.Code, "If-None-Match: %s: %d %s, want", tag, w.Code, w.Body) &&
			assert.Equal(t, third, w.Header().Get("ETag"), "If-None-Match: %s: %d %s, want", tag, w.Code, w.Body) {
			assert.False(t, status == 304 && w.Body.Len() > 0,
				"If-None-Match: %s: %d %s, want %d", tag, w.Code, w.Body, status)
		}
	}
	w := request(f.admin, "DELETE", f.a.Host, "/api/classes/1", "", "If-Match: "+third)
	if assert.Equal(t, 204, w.Code, w.Body) {
		assert.LessOrEqual(t, w.Body.Len(), 0, w.Body)
	}
	expectProblem(t, "gone", request(f.admin, "DELETE", f.a.Host, "/api/classes/1", "", "If-Match: "+third), 404, "")
}

func TestOneOfConcurrentChangesWins(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := erp.NewContext(f.a.Context(), erp.System())
	classes := erp.NewClasses(f.db)
	c, err := classes.Create(ctx, erp.NewClass{Name: "7", Year: 2026})
	require.NoError(t, err)
	seen := c.Version()
	const people = 8
	errs := make([]error, people)
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			_, errs[i] = classes.Update(ctx, c.ID, seen, erp.NewClass{Name: fmt.Sprint("of ", i), Year: 2026})
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		assert.ErrorIs(t, err, erp.ErrChanged)
	}
	assert.Equal(t, 1, won, "%d of %d changes have succeeded", won, people)
}

// Versions differ even if two changes have the same time: now() does not advance in a transaction,
// and the clock can go back.
func TestEveryChangeHasANewVersion(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := erp.NewContext(f.a.Context(), erp.System())
	classes := erp.NewClasses(f.db)
	c, err := classes.Create(ctx, erp.NewClass{Name: "7", Year: 2026})
	require.NoError(t, err)
	exec(t, f, f.a, "update classes set updated_at = now() + interval '1 day'") // as if the clock had gone back
	seen := map[erp.Version]bool{c.Version(): true}
	for i := range 20 {
		c, err = classes.Update(ctx, c.ID, erp.AnyVersion, erp.NewClass{Name: fmt.Sprint(i), Year: 2026})
		require.NoError(t, err)
		require.False(t, seen[c.Version()], "change %d has the version of another", i)
		seen[c.Version()] = true
	}
}

func TestLinksArePartOfTheTeacherAndTheParent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, name := range []string{"7", "8", "9"} {
		request(f.admin, "POST", f.a.Host, "/api/classes/", `{"name": "`+name+`", "year": 2026}`)
		request(f.admin, "POST", f.a.Host, "/api/students/",
			`{"admission_number": "`+name+`", "first_name": "A", "last_name": "B"}`)
	}
	steps := []struct{ request, body, part string }{
		{"POST /api/teachers/", `{"name": "T", "class_ids": [3, 1, 3]}`, `"class_ids":[1,3]`},
		{"GET /api/teachers/1", ``, `"class_ids":[1,3]`},
		{"PUT /api/teachers/1", `{"name": "T", "class_ids": [2, 1]}`, `"class_ids":[1,2]`},
		{"GET /api/teachers/1", ``, `"class_ids":[1,2]`},
		{"PUT /api/teachers/1", `{"name": "T", "class_ids": [1, 99]}`, `hold one that is no class of this school`},
		{"GET /api/teachers/1", ``, `"class_ids":[1,2]`},
		{"DELETE /api/classes/1", ``, ``},
		{"GET /api/teachers/1", ``, `"class_ids":[2]`},
		{"PUT /api/teachers/1", `{"name": "T"}`, `"class_ids":[]`},
		{"GET /api/teachers/1", ``, `"class_ids":[]`},
		{
			"POST /api/parents/",
			`{"name": "P", "children": [{"student_id": 3}, {"student_id": 1, "relation": "'; --"}]}`,
			`"children":[{"student_id":1,"relation":"'; --"},{"student_id":3,"relation":""}]`,
		},
		{"GET /api/parents/1", ``, `"children":[{"student_id":1,"relation":"'; --"},{"student_id":3,"relation":""}]`},
		{
			"PUT /api/parents/1",
			`{"name": "P", "children": [{"student_id": 3, "relation": "aunt"}, {"student_id": 2}]}`,
			`"children":[{"student_id":2,"relation":""},{"student_id":3,"relation":"aunt"}]`,
		},
		{"DELETE /api/students/2", ``, ``},
		{"GET /api/parents/1", ``, `"children":[{"student_id":3,"relation":"aunt"}]`},
		{"PUT /api/parents/1", `{"name": "P", "children": [{"student_id": 3}, {"student_id": 3}]}`, `name a student twice`},
		{"PUT /api/parents/1", `{"name": "P", "children": [{"student_id": 2}]}`, `hold one who is no student`},
		{"PUT /api/parents/1", `{"name": "P"}`, `"children":[]`},
		{"GET /api/parents/1", ``, `"children":[]`},
	}
	tags := map[string]string{}
	for i, s := range steps {
		method, path, _ := strings.Cut(s.request, " ")
		w := request(f.admin, method, f.a.Host, path, s.body, "If-Match: *")
		assert.Contains(t, w.Body.String(), s.part, "%d %s %s: %d %s\nwant", i, s.request, s.body, w.Code, w.Body)
		assert.Less(t, w.Code, 500, "%d %s %s: %d %s\nwant", i, s.request, s.body, w.Code, w.Body)
		if tag := w.Header().Get("ETag"); tag != "" { // a tag stands for one content
			before, ok := tags[tag]
			if ok {
				assert.Equal(t, before, w.Body.String(), "%d: %s is %s and %s", i, tag, before, w.Body)
			}
			tags[tag] = w.Body.String()
		}
	}
}

// The links of a row that a viewer sees can change without the row, so there is no 304 for such a
// viewer.
func TestInvisibleLinksAreOmitted(t *testing.T) {
	t.Parallel()
	w := populate(t)
	exec(t, w.fixture, w.a, "insert into class_teachers values (2, 1)")
	exec(t, w.fixture, w.a, "insert into student_parents values (3, 1, 'aunt')")
	for _, c := range []struct {
		role erp.Role
		path string
		part string
	}{
		{
			erp.RoleAdmin, "/api/parents/1",
			`"children":[{"student_id":1,"relation":"mother"},{"student_id":3,"relation":"aunt"}]`,
		},
		{
			erp.RoleParent, "/api/parents/1",
			`"children":[{"student_id":1,"relation":"mother"},{"student_id":3,"relation":"aunt"}]`,
		},
		{erp.RoleStudent, "/api/parents/1", `"children":[{"student_id":1,"relation":"mother"}]`},
		{erp.RoleStudent, "/api/teachers/1", `"class_ids":[1]`},
		{erp.RoleParent, "/api/teachers/1", `"class_ids":[1,2]`},
		{erp.RoleTeacher, "/api/teachers/2", `"class_ids":[2]`},
	} {
		token := "Authorization: Bearer " + w.tokens[c.role]
		got := request(w.handler, "GET", w.a.Host, c.path, "", token)
		assert.Equal(t, 200, got.Code, "%s as %s: %d %s, want %s", c.path, c.role, got.Code, got.Body, c.part)
		assert.Contains(t, got.Body.String(), c.part, "%s as %s: %d %s, want", c.path, c.role, got.Code, got.Body)
		again := request(w.handler, "GET", w.a.Host, c.path, "", token, "If-None-Match: "+got.Header().Get("ETag"))
		assert.Equal(t, map[bool]int{true: 304, false: 200}[c.role == erp.RoleAdmin], again.Code,
			"%s as %s again", c.path, c.role)
	}
}

func TestStudentWithFeesIsNotDeleted(t *testing.T) {
	t.Parallel()
	w := populate(t)
	for path, field := range map[string]string{
		"/api/students/1": "has fees", "/api/classes/1": "has ", "/api/users/2": "is a teacher's",
	} {
		p := expectProblem(t, path, request(w.admin, "DELETE", w.a.Host, path, "", "If-Match: *"), 409, "id")
		assert.Contains(t, p.Detail, field, path)
	}
}
