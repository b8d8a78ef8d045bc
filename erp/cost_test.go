package erp_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/erp"
)

// counter counts the statements of a handler.
type counter struct {
	erp.Querier
	statements atomic.Int64
}

func (c *counter) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	c.statements.Add(1)
	return c.Querier.Query(ctx, sql, args...)
}

// A request runs one statement, which checks the session too. Only an empty answer needs a second
// statement, to find the reason.
func TestARequestIsOneStatement(t *testing.T) {
	t.Parallel()
	w := populate(t)
	db := &counter{Querier: w.db}
	h := w.serve(erp.Handler(db, erp.HandlerConfig{Signer: w.signer}))
	for _, c := range []struct {
		role       erp.Role
		request    [3]string
		status     int
		statements int64
	}{
		{erp.RoleAdmin, [3]string{"GET", "/api/students/1"}, 200, 1},
		{erp.RoleTeacher, [3]string{"GET", "/api/students/1"}, 200, 1},
		{erp.RoleParent, [3]string{"GET", "/api/students/"}, 200, 1},
		{erp.RoleStudent, [3]string{"GET", "/api/parents/1"}, 200, 1},
		{erp.RoleTeacher, [3]string{"GET", "/api/students/3"}, 404, 2},
		{erp.RoleTeacher, [3]string{"GET", "/api/students/?class_id=2"}, 200, 2},
		{erp.RoleTeacher, [3]string{"DELETE", "/api/students/1"}, 403, 0},
		{erp.RoleAdmin, [3]string{"GET", "/api/auth/me"}, 200, 1},
		{erp.RoleAdmin, [3]string{"POST", "/api/teachers/", `{"name": "A", "class_ids": [1, 2]}`}, 201, 1},
		{erp.RoleAdmin, [3]string{"PUT", "/api/parents/1", `{"name": "A", "children": [{"student_id": 1}]}`}, 200, 1},
		{erp.RoleAdmin, [3]string{"DELETE", "/api/students/3"}, 204, 1},
	} {
		before := db.statements.Load()
		got := request(h, c.request[0], w.a.Host, c.request[1], c.request[2], "Authorization: Bearer "+w.tokens[c.role],
			"If-Match: *")
		n := db.statements.Load() - before
		assert.Equal(t, c.status, got.Code, "%v as %s: %d %s with %d statements, want %d with %d", c.request, c.role,
			got.Code, got.Body, n, c.status, c.statements)
		assert.Equal(t, c.statements, n, "%v as %s: %d %s with %d statements, want %d with %d", c.request, c.role, got.Code,
			got.Body, n, c.status, c.statements)
	}
}

func TestViewerFromContextDoesNotAllocate(t *testing.T) {
	ctx := context.WithValue(erp.NewContext(t.Context(), erp.System()), http.ServerContextKey, nil)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if v, ok := erp.ViewerFromContext(ctx); !ok || v.Role != erp.RoleAdmin {
			t.Fatal("no viewer")
		}
	}), "allocations")
}
