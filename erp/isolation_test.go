package erp_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// Each step goes through the whole stack at one school, while the tables of the other are locked.
func TestTheAPIOfOneSchoolTouchesNothingOfAnother(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := []struct {
		request, body string
		status        int
	}{
		{"POST /api/classes/", newClass, 201},
		{"POST /api/students/", `{"admission_number": "1", "first_name": "A", "last_name": "B", "class_id": 1}`, 201},
		{"POST /api/students/import", newFile[:strings.Index(newFile, "1,a")] + "3,c,2026\n", 201},
		{"POST /api/teachers/", `{"name": "T", "class_ids": [1]}`, 201},
		{"POST /api/parents/", `{"name": "P", "children": [{"student_id": 1}]}`, 201},
		{"POST /api/users/", newUser, 201},
		{"PUT /api/users/2/password", `{"password": "another password"}`, 204},
		{"GET /api/students?class_id=1&parent_id=1&q=a", ``, 200},
		{"GET /api/classes?teacher_id=1", ``, 200},
		{"GET /api/teachers?class_id=1", ``, 200},
		{"GET /api/parents?student_id=1", ``, 200},
		{"GET /api/students/1", ``, 200},
		{"PUT /api/students/1", `{"admission_number": "1", "first_name": "A", "last_name": "C"}`, 200},
		{"DELETE /api/students/1", ``, 204},
		{"GET /api/auth/me", ``, 200},
		{"POST /api/auth/logout", ``, 204},
	}
	f.env.AssertIsolated(t, f.a, f.b, func(ctx context.Context, school *tenancytest.Tenant) error {
		token := f.token(school, erp.RoleAdmin)
		for _, s := range steps {
			method, path, _ := strings.Cut(s.request, " ")
			r, err := http.NewRequestWithContext(ctx, method, school.URL(path), strings.NewReader(s.body))
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("If-Match", "*")
			r.Header.Set(
				"Content-Type",
				map[bool]string{true: "text/csv", false: "application/json"}[strings.HasSuffix(path, "/import")],
			)
			resp, err := school.Client().Do(r)
			if err != nil {
				return err
			}
			if err := resp.Body.Close(); err != nil || resp.StatusCode != s.status {
				return fmt.Errorf("%s: %s, %w", s.request, resp.Status, err)
			}
		}
		return nil
	})
}

// Ids of one school do not exist at the other school, for any method.
func TestIDsOfAnotherSchoolAreNotFound(t *testing.T) {
	t.Parallel()
	w := populate(t)
	for _, path := range []string{
		"/api/students/3", "/api/classes/2", "/api/teachers/2", "/api/parents/2", "/api/users/4",
	} {
		for _, method := range []string{"GET", "DELETE"} {
			expectProblem(t, method+" "+path, request(w.admin, method, w.b.Host, path, "", "If-Match: *"), 404, "")
		}
	}
	for path, body := range map[string]string{
		"/api/students/3": newStudent[:len(newStudent)-len(`, "class_id": 2}`)] + "}", "/api/classes/2": newClass,
		"/api/teachers/2": `{"name": "A"}`, "/api/parents/2": `{"name": "A"}`, "/api/users/4": newUser,
	} {
		expectProblem(t, "PUT "+path, request(w.admin, "PUT", w.b.Host, path, body, "If-Match: *"), 404, "")
	}
	for path, c := range map[string][2]string{
		"/api/students/": {newStudent, "class_id"},
		"/api/teachers/": {`{"name": "A", "class_ids": [1]}`, "class_ids"},
		"/api/parents/":  {`{"name": "A", "children": [{"student_id": 1}]}`, "children"},
	} {
		expectProblem(t, "POST "+path, request(w.admin, "POST", w.b.Host, path, c[0]), 422, c[1])
	}
	for _, path := range []string{
		"/api/students/?class_id=1", "/api/classes/?teacher_id=1", "/api/teachers/?class_id=1",
		"/api/parents/?student_id=1",
	} {
		assert.Equal(t, "none", outcome(path, request(w.admin, "GET", w.b.Host, path, "")), path)
	}
}
