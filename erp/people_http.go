package erp

import (
	"context"
	"net/http"
)

func (m *Module) registerClasses(mux *http.ServeMux) {
	classes := NewClasses(m.db)
	resource[Class, NewClass]{
		entity: classEntity, path: "classes",
		list: func(ctx context.Context, p *params) ([]Class, int64, error) {
			year := p.number("year", 1900, 2200, "is not between 1900 and 2200")
			filter := ClassFilter{Year: int(year), TeacherID: p.id("teacher_id"), Search: p.text("q")}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return classes.List(ctx, filter, page)
		},
		create: classes.Create, get: classes.Get, update: classes.Update, delete: classes.Delete,
	}.register(m, mux)
}

func (m *Module) registerTeachers(mux *http.ServeMux) {
	teachers := NewTeachers(m.db)
	resource[Teacher, NewTeacher]{
		entity: teacherEntity, path: "teachers", partial: true,
		list: func(ctx context.Context, p *params) ([]Teacher, int64, error) {
			filter := TeacherFilter{ClassID: p.id("class_id"), Search: p.text("q")}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return teachers.List(ctx, filter, page)
		},
		create: teachers.Create, get: teachers.Get, update: teachers.Update, delete: teachers.Delete,
	}.register(m, mux)
}

func (m *Module) registerParents(mux *http.ServeMux) {
	parents := NewParents(m.db)
	resource[Parent, NewParent]{
		entity: parentEntity, path: "parents", partial: true,
		list: func(ctx context.Context, p *params) ([]Parent, int64, error) {
			filter := ParentFilter{StudentID: p.id("student_id"), Search: p.text("q")}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return parents.List(ctx, filter, page)
		},
		create: parents.Create, get: parents.Get, update: parents.Update, delete: parents.Delete,
	}.register(m, mux)
}

func (m *Module) registerStudents(mux *http.ServeMux) {
	students := NewStudents(m.db)
	resource[Student, NewStudent]{
		entity: studentEntity, path: "students",
		list: func(ctx context.Context, p *params) ([]Student, int64, error) {
			filter := StudentFilter{ClassID: p.id("class_id"), ParentID: p.id("parent_id"), Search: p.text("q")}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return students.List(ctx, filter, page)
		},
		create: students.Create, get: students.Get, update: students.Update, delete: students.Delete,
	}.register(m, mux)
	m.handle(mux, "/api/students/import", methods{http.MethodPost: m.serveImport})
}
