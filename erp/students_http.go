package erp

import (
	"context"
	"net/http"
)

func (m *Module) registerStudents(mux *http.ServeMux) {
	students := NewStudents(m.db)
	resource[Student, NewStudent]{
		noun: studentNoun, path: "students",
		list: func(ctx context.Context, p *params) ([]Student, int64, error) {
			filter := StudentFilter{ClassID: p.id("class_id"), ParentID: p.id("parent_id"), Search: p.text("q")}
			page := p.page()
			if err := p.err(); err != nil {
				return nil, 0, err
			}
			return students.List(ctx, filter, page)
		},
		create: students.Create, get: students.Get, update: students.Update, delete: students.Delete,
	}.register(m, mux)
}
