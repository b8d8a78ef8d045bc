package erp

import "context"

// Teachers are the teachers of the school of the context. It is safe for concurrent use if its Querier is.
type Teachers struct{ table[Teacher] }

// NewTeachers returns the teachers that db reaches.
func NewTeachers(db Querier) Teachers {
	return Teachers{table[Teacher]{db: db, noun: teacherNoun, columns: teacherColumns(taughtByTeacher)}}
}

// teacherColumns are those of [Teacher], in its order.
func teacherColumns(classIDs string) string {
	return "teachers.id, teachers.name, teachers.user_id, " + classIDs + ", teachers.created_at, teachers.updated_at"
}

const taughtByTeacher = `array(select classes.id from class_teachers ct join classes on classes.id = ct.class_id
	where ct.teacher_id = teachers.id and @classes order by 1)`

// TeacherFilter narrows a list of teachers down. Its zero value does not.
type TeacherFilter struct {
	ClassID int64  // the teachers of a class; none where the viewer does not see the class
	Search  string // a part of the name, in any case
}

func (f TeacherFilter) conditions() (c conditions) {
	c.id(`teachers.id in (select ct.teacher_id from class_teachers ct
		join classes on classes.id = ct.class_id where ct.class_id = ? and @classes)`, f.ClassID)
	c.search("teachers.name", f.Search)
	return c
}

// List returns the teachers of a page by id, and the After of the next page, or 0 when there is none.
func (t Teachers) List(ctx context.Context, f TeacherFilter, page Page) ([]Teacher, int64, error) {
	return t.list(ctx, page, f.conditions())
}

// Get returns a teacher, or [ErrNotFound].
func (t Teachers) Get(ctx context.Context, id int64) (Teacher, error) { return t.get(ctx, id) }

// Create adds a teacher with their classes. A class or a user that is not there, or is another teacher's, is an
// [InputError].
func (t Teachers) Create(ctx context.Context, n NewTeacher) (Teacher, error) {
	s, err := changing(ctx, t.noun)
	if err != nil {
		return Teacher{}, t.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Teacher{}, err
	}
	s.add("with written as (insert into teachers (name, user_id) select ?, ? where ", n.Name, n.UserID)
	s.current()
	s.add(" returning *)")
	t.link(s, n)
	return t.one(ctx, "create", s)
}

// Update makes a teacher what n says, and returns them as they are then. Where they are not in that version any more the
// error is [ErrChanged]; others are those of Get and Create.
func (t Teachers) Update(ctx context.Context, id int64, version Version, n NewTeacher) (Teacher, error) {
	s, err := changing(ctx, t.noun)
	if err != nil {
		return Teacher{}, t.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Teacher{}, err
	}
	s.add("with written as (update teachers set name = ?, user_id = ?, "+touch(t.noun.table)+" where ", n.Name, n.UserID)
	t.at(s, id, version)
	s.add(" returning *)")
	t.link(s, n)
	return t.changed(ctx, "update", id, s)
}

// link makes the classes of the teacher that was written those of n, and returns the teacher: the parts of a statement
// do not see what the others write, so the classes are those that were given.
func (t Teachers) link(s *statement, n NewTeacher) {
	ids := n.classIDs()
	s.add(`, unlinked as (delete from class_teachers ct using written where ct.teacher_id = written.id and ct.class_id <> all(?::bigint[]))`, ids)
	s.add(`, linked as (insert into class_teachers (teacher_id, class_id)
		select written.id, class_id from written, unnest(?::bigint[]) class_id on conflict do nothing)`, ids)
	s.add(" select "+teacherColumns("?::bigint[]")+" from written teachers", ids)
}

// Delete deletes a teacher. The errors are those of Update.
func (t Teachers) Delete(ctx context.Context, id int64, version Version) error {
	return t.delete(ctx, id, version)
}
