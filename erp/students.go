package erp

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Students stores the students of the school of the context. It is safe for concurrent use if its
// [Querier] is.
type Students struct{ table[Student] }

// NewStudents returns the store of students on db.
func NewStudents(db Querier) Students {
	return Students{table[Student]{db: db, entity: studentEntity, columns: always(studentColumns)}}
}

// studentColumns are the columns of [Student], in the order of its fields.
const studentColumns = `students.id, admission_number, first_name, last_name, date_of_birth, class_id, user_id,
	created_at, updated_at`

// StudentFilter limits a list of students. The zero value does not limit it.
type StudentFilter struct {
	ClassID  int64  // the students of a class
	ParentID int64  // the children of a parent; none if the viewer does not see the parent
	Search   string // a part of "first last" or the admission number, case-insensitive
}

func (f StudentFilter) filter(a access) (where filter) {
	where.id("students.class_id = @class_id", "class_id", f.ClassID)
	where.id(`students.id in (select sp.student_id from student_parents sp
		join parents on parents.id = sp.parent_id
		where sp.parent_id = @parent_id and `+a.sees(parentEntity)+")", "parent_id", f.ParentID)
	where.search("first_name || ' ' || last_name || ' ' || admission_number", f.Search)
	return where
}

// List returns a page of students by id, and the After of the next page, or 0 if there is none. If
// page is invalid, the error is an [InputError].
func (s Students) List(ctx context.Context, f StudentFilter, page Page) (students []Student, next int64, err error) {
	return s.list(ctx, page, f.filter)
}

// Get returns a student, or [ErrNotFound].
func (s Students) Get(ctx context.Context, id int64) (Student, error) { return s.get(ctx, id) }

// Create adds a student. If [NewStudent.Validate] refuses n, the admission number is taken or the
// class does not exist, the error is an [InputError].
func (s Students) Create(ctx context.Context, n NewStudent) (Student, error) {
	a, err := mayChange(ctx, s.entity)
	if err != nil {
		return Student{}, s.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Student{}, err
	}
	return s.one(ctx, "create", a, `
		insert into students (admission_number, first_name, last_name, date_of_birth, class_id, user_id)
		select @admission_number, @first_name, @last_name, @date_of_birth, @class_id, @user_id where `+a.session()+`
		returning `+studentColumns, n.args())
}

// Update replaces the fields of a student with n, and returns the student. If the student has
// another version, the error is [ErrChanged]; the other errors are those of Get and Create.
func (s Students) Update(ctx context.Context, id int64, version Version, n NewStudent) (Student, error) {
	a, err := mayChange(ctx, s.entity)
	if err != nil {
		return Student{}, s.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Student{}, err
	}
	return s.changed(ctx, "update", a, id, version, `
		update students set admission_number = @admission_number, first_name = @first_name, last_name = @last_name,
			date_of_birth = @date_of_birth, class_id = @class_id, user_id = @user_id, `+touch("students")+`
		where `+s.target(a, version)+`
		returning `+studentColumns, n.args())
}

func (n NewStudent) args() pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{
		"admission_number": n.AdmissionNumber, "first_name": n.FirstName, "last_name": n.LastName,
		"date_of_birth": n.DateOfBirth, "class_id": n.ClassID, "user_id": n.UserID,
	}
}

// Delete deletes a student. If the student has fees, the error is an [InputError] with Conflict.
// The other errors are those of Update.
func (s Students) Delete(ctx context.Context, id int64, version Version) error {
	// The children of a parent are part of the parent, so the parent has a new version.
	return s.delete(ctx, id, version, `
		update parents set `+touch("parents")+` from deleted, student_parents sp
		where sp.student_id = deleted.id and parents.id = sp.parent_id`)
}
