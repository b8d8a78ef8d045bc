package erp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/erp"
)

// A filter by a row that the viewer may not see finds nothing. Otherwise it would reveal links
// between rows to a viewer who tries ids.
func TestFiltersRevealNoInvisibleRows(t *testing.T) {
	t.Parallel()
	w := populate(t)
	exec(t, w.fixture, w.a, "insert into student_parents values (1, 2, 'father'), (3, 1, 'aunt')")
	exec(t, w.fixture, w.a, "insert into class_teachers values (1, 2), (3, 2)")
	for _, c := range []struct {
		role          erp.Role
		request, want string
		why           string
	}{
		{
			erp.RoleVisitor, "GET /api/students?parent_id=1", "none",
			"visitors see no parents, and who has the same is not theirs to know",
		},
		{erp.RoleParent, "GET /api/students?parent_id=2", "none", "the other parent of a child is not theirs to see"},
		{erp.RoleParent, "GET /api/students?parent_id=1", "1,3", "they see themself"},
		{erp.RoleTeacher, "GET /api/students?parent_id=2", "1", "a parent of the class"},
		{
			erp.RoleTeacher, "GET /api/parents?student_id=3", "none",
			"the student is in another class, also where the parent is one of this class",
		},
		{erp.RoleTeacher, "GET /api/parents?student_id=1", "1,2", "the student is in the class"},
		{erp.RoleStudent, "GET /api/teachers?class_id=3", "none", "their teacher's other class is not theirs to see"},
		{erp.RoleStudent, "GET /api/teachers?class_id=1", "1,2", "it is their class"},
		{erp.RoleStudent, "GET /api/classes?teacher_id=2", "1", "of the classes of their teacher they see their own"},
		{erp.RoleAdmin, "GET /api/students?parent_id=2", "1,3", "an admin sees everything"},
	} {
		got := w.ask(t, ask{request: c.request}, w.tokens[c.role], c.role == erp.RoleVisitor)
		assert.Equal(t, c.want, got, "%s as %s: %s, want %s: %s", c.request, c.role, got, c.want, c.why)
	}
}
