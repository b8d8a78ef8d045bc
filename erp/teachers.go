package erp

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Teachers stores the teachers of the school of the context. It is safe for concurrent use if its
// [Querier] is.
type Teachers struct{ table[Teacher] }

// NewTeachers returns the store of teachers on db.
func NewTeachers(db Querier) Teachers {
	return Teachers{table[Teacher]{db: db, entity: teacherEntity, columns: func(a access) string {
		return teacherColumns(`array(select classes.id from class_teachers ct
			join classes on classes.id = ct.class_id
			where ct.teacher_id = teachers.id and ` + a.sees(classEntity) + " order by 1)")
	}}}
}

// teacherColumns returns the columns of [Teacher], in the order of its fields.
func teacherColumns(classIDs string) string {
	return "teachers.id, teachers.name, teachers.user_id, " + classIDs + ", teachers.created_at, teachers.updated_at"
}

// TeacherFilter limits a list of teachers. The zero value does not limit it.
type TeacherFilter struct {
	ClassID int64  // the teachers of a class; none if the viewer does not see the class
	Search  string // a part of the name, case-insensitive
}

func (f TeacherFilter) filter(a access) (where filter) {
	where.id(`teachers.id in (select ct.teacher_id from class_teachers ct
		join classes on classes.id = ct.class_id
		where ct.class_id = @class_id and `+a.sees(classEntity)+")", "class_id", f.ClassID)
	where.search("teachers.name", f.Search)
	return where
}

// List returns a page of teachers by id, and the After of the next page, or 0 if there is none.
func (t Teachers) List(ctx context.Context, f TeacherFilter, page Page) ([]Teacher, int64, error) {
	return t.list(ctx, page, f.filter)
}

// Get returns a teacher, or [ErrNotFound].
func (t Teachers) Get(ctx context.Context, id int64) (Teacher, error) { return t.get(ctx, id) }

// Create adds a teacher with their classes. If a class or the user does not exist, or the user is
// another teacher, the error is an [InputError].
func (t Teachers) Create(ctx context.Context, n NewTeacher) (Teacher, error) {
	a, err := mayChange(ctx, t.entity)
	if err != nil {
		return Teacher{}, t.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Teacher{}, err
	}
	return t.one(ctx, "create", a, `
		with written as (
			insert into teachers (name, user_id) select @name, @user_id where `+a.session()+` returning *
		), `+linkClasses, n.args())
}

// Update replaces the fields of a teacher with n, and returns the teacher. If the teacher has
// another version, the error is [ErrChanged]; the other errors are those of Get and Create.
func (t Teachers) Update(ctx context.Context, id int64, version Version, n NewTeacher) (Teacher, error) {
	a, err := mayChange(ctx, t.entity)
	if err != nil {
		return Teacher{}, t.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Teacher{}, err
	}
	return t.changed(ctx, "update", a, id, version, `
		with written as (
			update teachers set name = @name, user_id = @user_id, `+touch("teachers")+`
			where `+t.target(a, version)+` returning *
		), `+linkClasses, n.args())
}

// linkClasses ends a statement that has written a teacher: it replaces the classes of the teacher,
// and returns the teacher. The parts of a statement do not see what the other parts write, so the
// classes that it returns are its argument.
var linkClasses = `unlinked as (
		delete from class_teachers ct using written
		where ct.teacher_id = written.id and ct.class_id <> all(@class_ids::bigint[])
	), linked as (
		insert into class_teachers (teacher_id, class_id)
		select written.id, class_id from written, unnest(@class_ids::bigint[]) class_id
		on conflict do nothing
	)
	select ` + teacherColumns("@class_ids::bigint[]") + " from written teachers"

func (n NewTeacher) args() pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"name": n.Name, "user_id": n.UserID, "class_ids": n.classIDs()}
}

// Delete deletes a teacher. The errors are those of Update.
func (t Teachers) Delete(ctx context.Context, id int64, version Version) error {
	return t.delete(ctx, id, version, "")
}
