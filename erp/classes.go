package erp

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Classes stores the classes of the school of the context. It is safe for concurrent use if its
// [Querier] is.
type Classes struct{ table[Class] }

// NewClasses returns the store of classes on db.
func NewClasses(db Querier) Classes {
	return Classes{table[Class]{db: db, entity: classEntity, columns: always(classColumns)}}
}

// classColumns are the columns of [Class], in the order of its fields.
const classColumns = "classes.id, classes.name, section, year, created_at, updated_at"

// ClassFilter limits a list of classes. The zero value does not limit it.
type ClassFilter struct {
	Year      int
	TeacherID int64  // the classes of a teacher; none if the viewer does not see the teacher
	Search    string // a part of "name section", case-insensitive
}

func (f ClassFilter) filter(a access) (where filter) {
	where.id("classes.year = @year", "year", int64(f.Year))
	where.id(`classes.id in (select ct.class_id from class_teachers ct
		join teachers on teachers.id = ct.teacher_id
		where ct.teacher_id = @teacher_id and `+a.sees(teacherEntity)+")", "teacher_id", f.TeacherID)
	where.search("classes.name || ' ' || section", f.Search)
	return where
}

// List returns a page of classes by id, and the After of the next page, or 0 if there is none.
func (c Classes) List(ctx context.Context, f ClassFilter, page Page) ([]Class, int64, error) {
	return c.list(ctx, page, f.filter)
}

// Get returns a class, or [ErrNotFound].
func (c Classes) Get(ctx context.Context, id int64) (Class, error) { return c.get(ctx, id) }

// Create adds a class. If the class exists, the error is an [InputError] with Conflict.
func (c Classes) Create(ctx context.Context, n NewClass) (Class, error) {
	a, err := mayChange(ctx, c.entity)
	if err != nil {
		return Class{}, c.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Class{}, err
	}
	return c.one(ctx, "create", a, `
		insert into classes (name, section, year)
		select @name, @section, @year where `+a.session()+`
		returning `+classColumns, n.args())
}

// Update replaces the fields of a class with n, and returns the class. If the class has another
// version, the error is [ErrChanged]; the other errors are those of Get and Create.
func (c Classes) Update(ctx context.Context, id int64, version Version, n NewClass) (Class, error) {
	a, err := mayChange(ctx, c.entity)
	if err != nil {
		return Class{}, c.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Class{}, err
	}
	return c.changed(ctx, "update", a, id, version, `
		update classes set name = @name, section = @section, year = @year, `+touch("classes")+`
		where `+c.target(a, version)+`
		returning `+classColumns, n.args())
}

func (n NewClass) args() pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"name": n.Name, "section": n.Section, "year": n.Year}
}

// Delete deletes a class, and takes it from its teachers. If the class has students or fee
// structures, the error is an [InputError] with Conflict. The other errors are those of Update.
func (c Classes) Delete(ctx context.Context, id int64, version Version) error {
	return c.delete(ctx, id, version, `
		update teachers set `+touch("teachers")+` from deleted, class_teachers ct
		where ct.class_id = deleted.id and teachers.id = ct.teacher_id`)
}
