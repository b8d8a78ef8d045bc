package erp

import "context"

// Students are the students of the school of the context. It is safe for concurrent use if
// its Querier is.
type Students struct{ table[Student] }

// NewStudents returns the students that db reaches.
func NewStudents(db Querier) Students {
	return Students{table[Student]{db: db, noun: studentNoun, columns: studentColumns}}
}

// studentColumns are those of [Student], in its order.
const studentColumns = "students.id, admission_number, first_name, last_name, date_of_birth, class_id, user_id, created_at, updated_at"

// StudentFilter narrows a list of students down. Its zero value does not.
type StudentFilter struct {
	ClassID  int64  // the students of a class
	ParentID int64  // the children of a parent; none where the viewer does not see the parent
	Search   string // a part of "first last" or of the admission number, in any case
}

func (f StudentFilter) conditions() (c conditions) {
	c.id("students.class_id = ?", f.ClassID)
	c.id(`students.id in (select sp.student_id from student_parents sp
		join parents on parents.id = sp.parent_id where sp.parent_id = ? and @parents)`, f.ParentID)
	c.search("first_name || ' ' || last_name || ' ' || admission_number", f.Search)
	return c
}

// List returns the students of a page by id, and the After of the next page, or 0 when
// there is none. A page that cannot be is an [InputError].
func (s Students) List(ctx context.Context, f StudentFilter, page Page) (students []Student, next int64, err error) {
	return s.list(ctx, page, f.conditions())
}

// Get returns a student, or [ErrNotFound].
func (s Students) Get(ctx context.Context, id int64) (Student, error) { return s.get(ctx, id) }

// Create admits a student. Input that is refused, by [NewStudent.Validate] or because the
// admission number is taken or the class is not there, is an [InputError].
func (s Students) Create(ctx context.Context, n NewStudent) (Student, error) {
	insert, err := changing(ctx, s.noun)
	if err != nil {
		return Student{}, s.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Student{}, err
	}
	insert.add(`insert into students (admission_number, first_name, last_name, date_of_birth, class_id, user_id)
		select ?, ?, ?, ?, ?, ? where `, n.AdmissionNumber, n.FirstName, n.LastName, n.DateOfBirth, n.ClassID, n.UserID)
	insert.current()
	insert.add(" returning " + s.columns)
	return s.one(ctx, "create", insert)
}

// Update makes a student what n says, and returns it as it is then. Where it is not in that version any more the error is
// [ErrChanged]; others are those of Get and Create.
func (s Students) Update(ctx context.Context, id int64, version Version, n NewStudent) (Student, error) {
	update, err := changing(ctx, s.noun)
	if err != nil {
		return Student{}, s.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Student{}, err
	}
	update.add(`update students set admission_number = ?, first_name = ?, last_name = ?, date_of_birth = ?, class_id = ?, user_id = ?, `,
		n.AdmissionNumber, n.FirstName, n.LastName, n.DateOfBirth, n.ClassID, n.UserID)
	update.add(touch(s.noun.table) + " where ")
	s.at(update, id, version)
	update.add(" returning " + s.columns)
	return s.changed(ctx, "update", id, update)
}

// Delete takes a student out of the school's books. One that has fees stays: that is an [InputError] with Conflict. The
// other errors are those of Update.
func (s Students) Delete(ctx context.Context, id int64, version Version) error {
	// A parent's children are part of the parent.
	return s.delete(ctx, id, version, "update parents set "+touch("parents")+
		" from gone, student_parents sp where sp.student_id = gone.id and parents.id = sp.parent_id")
}
