package schoolsite

import (
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/web"
)

// askImport shows the form to import students.
func (s *site) askImport(w http.ResponseWriter, r *http.Request, p person) {
	if p.Role != erp.RoleAdmin {
		s.failed(w, r, p, erp.ErrForbidden)
		return
	}
	s.Render(w, r, http.StatusOK, "import", s.page(r, p, "Import students", erp.ImportReport{}))
}

// importStudents imports all students of a file or none. If a row is invalid, the page lists the
// errors by row.
func (s *site) importStudents(w http.ResponseWriter, r *http.Request, p person) {
	if p.Role != erp.RoleAdmin {
		s.failed(w, r, p, erp.ErrForbidden)
		return
	}
	file, ok := web.ReadFile(w, r, "file")
	if !ok {
		return
	}
	report, err := erp.NewStudents(s.DB).Import(r.Context(), file, erp.ImportOptions{})
	switch {
	case err != nil:
		s.failed(w, r, p, err)
	case len(report.Errors) > 0:
		s.Render(w, r, http.StatusUnprocessableEntity, "import", s.page(r, p, "Import students", report))
	default:
		s.Redirect(w, r, "/students", web.Flash{Text: fmt.Sprintf("Imported %d students.", report.Created)})
	}
}
