package erp

import "context"

// Classes are the classes of the school of the context. It is safe for concurrent use if its Querier is.
type Classes struct{ table[Class] }

// NewClasses returns the classes that db reaches.
func NewClasses(db Querier) Classes {
	return Classes{table[Class]{db: db, noun: classNoun, columns: classColumns}}
}

// classColumns are those of [Class], in its order.
const classColumns = "classes.id, classes.name, section, year, created_at, updated_at"

// ClassFilter narrows a list of classes down. Its zero value does not.
type ClassFilter struct {
	Year      int
	TeacherID int64  // the classes that a teacher teaches; none where the viewer does not see the teacher
	Search    string // a part of "name section", in any case
}

func (f ClassFilter) conditions() (c conditions) {
	c.id("classes.year = ?", int64(f.Year))
	c.id(`classes.id in (select ct.class_id from class_teachers ct
		join teachers on teachers.id = ct.teacher_id where ct.teacher_id = ? and @teachers)`, f.TeacherID)
	c.search("classes.name || ' ' || section", f.Search)
	return c
}

// List returns the classes of a page by id, and the After of the next page, or 0 when there is none.
func (c Classes) List(ctx context.Context, f ClassFilter, page Page) ([]Class, int64, error) {
	return c.list(ctx, page, f.conditions())
}

// Get returns a class, or [ErrNotFound].
func (c Classes) Get(ctx context.Context, id int64) (Class, error) { return c.get(ctx, id) }

// Create adds a class. One that is there is an [InputError] with Conflict.
func (c Classes) Create(ctx context.Context, n NewClass) (Class, error) {
	insert, err := changing(ctx, c.noun)
	if err != nil {
		return Class{}, c.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Class{}, err
	}
	insert.add("insert into classes (name, section, year) select ?, ?, ? where ", n.Name, n.Section, n.Year)
	insert.current()
	insert.add(" returning " + c.columns)
	return c.one(ctx, "create", insert)
}

// Update makes a class what n says, and returns it as it is then. Where it is not in that version any more the error is
// [ErrChanged]; others are those of Get and Create.
func (c Classes) Update(ctx context.Context, id int64, version Version, n NewClass) (Class, error) {
	update, err := changing(ctx, c.noun)
	if err != nil {
		return Class{}, c.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Class{}, err
	}
	update.add("update classes set name = ?, section = ?, year = ?, "+touch(c.noun.table)+" where ", n.Name, n.Section, n.Year)
	c.at(update, id, version)
	update.add(" returning " + c.columns)
	return c.changed(ctx, "update", id, update)
}

// Delete deletes a class. One with students or fee structures stays: that is an [InputError] with Conflict. Its teachers
// teach one class less. The other errors are those of Update.
func (c Classes) Delete(ctx context.Context, id int64, version Version) error {
	return c.delete(ctx, id, version, "update teachers set "+touch("teachers")+
		" from gone, class_teachers ct where ct.class_id = gone.id and teachers.id = ct.teacher_id")
}
