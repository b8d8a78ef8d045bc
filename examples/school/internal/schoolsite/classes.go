package schoolsite

import (
	"context"
	"net/http"
	"strings"

	"github.com/oryne/pgtenant/erp"
)

// allClasses returns the classes that the viewer may see. One page is enough, because a school has
// some dozens of classes.
func (s *site) allClasses(ctx context.Context) ([]erp.Class, error) {
	classes, _, err := erp.NewClasses(s.DB).List(ctx, erp.ClassFilter{}, erp.Page{Limit: erp.MaxLimit})
	return classes, err
}

func className(c erp.Class) string { return strings.TrimSpace(c.Name + " " + c.Section) }

func classNames(classes []erp.Class) map[int64]string {
	names := make(map[int64]string)
	for _, c := range classes {
		names[c.ID] = className(c)
	}
	return names
}

func (s *site) classes(w http.ResponseWriter, r *http.Request, p person) {
	classes, err := s.allClasses(r.Context())
	if err != nil {
		s.failed(w, r, p, err)
		return
	}
	s.Render(w, r, http.StatusOK, "classes", s.page(r, p, "Classes", classes))
}

// form is the page of a class.
type form struct {
	erp.Class
	Teachers []erp.Teacher
	Students []erp.Student
}

func (s *site) class(w http.ResponseWriter, r *http.Request, p person) {
	ctx := r.Context()
	class, err := erp.NewClasses(s.DB).Get(ctx, number(r.PathValue("id")))
	f := form{Class: class}
	if err == nil {
		f.Teachers, _, err = erp.NewTeachers(s.DB).List(ctx, erp.TeacherFilter{ClassID: class.ID}, erp.Page{})
	}
	if err == nil {
		f.Students, _, err = erp.NewStudents(s.DB).
			List(ctx, erp.StudentFilter{ClassID: class.ID}, erp.Page{Limit: erp.MaxLimit})
	}
	if err != nil {
		s.failed(w, r, p, err)
		return
	}
	s.Render(w, r, http.StatusOK, "class", s.page(r, p, className(class), f))
}
