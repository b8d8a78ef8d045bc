package erp

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Parents stores the parents of the school of the context. It is safe for concurrent use if its
// [Querier] is.
type Parents struct{ table[Parent] }

// NewParents returns the store of parents on db.
func NewParents(db Querier) Parents {
	return Parents{table[Parent]{db: db, entity: parentEntity, columns: func(a access) string {
		return parentColumns(`(select coalesce(
				json_agg(json_build_object('student_id', students.id, 'relation', sp.relation) order by students.id), '[]')
			from student_parents sp join students on students.id = sp.student_id
			where sp.parent_id = parents.id and ` + a.sees(studentEntity) + ")")
	}}}
}

// parentColumns returns the columns of [Parent], in the order of its fields.
func parentColumns(children string) string {
	return "parents.id, parents.name, parents.phone, parents.user_id, " + children +
		", parents.created_at, parents.updated_at"
}

// ParentFilter limits a list of parents. The zero value does not limit it.
type ParentFilter struct {
	StudentID int64  // the parents of a student; none if the viewer does not see the student
	Search    string // a part of the name or the phone number, case-insensitive
}

func (f ParentFilter) filter(a access) (where filter) {
	where.id(`parents.id in (select sp.parent_id from student_parents sp
		join students on students.id = sp.student_id
		where sp.student_id = @student_id and `+a.sees(studentEntity)+")", "student_id", f.StudentID)
	where.search("parents.name || ' ' || parents.phone", f.Search)
	return where
}

// List returns a page of parents by id, and the After of the next page, or 0 if there is none.
func (p Parents) List(ctx context.Context, f ParentFilter, page Page) ([]Parent, int64, error) {
	return p.list(ctx, page, f.filter)
}

// Get returns a parent, or [ErrNotFound].
func (p Parents) Get(ctx context.Context, id int64) (Parent, error) { return p.get(ctx, id) }

// Create adds a parent with their children. If a student or the user does not exist, or the user is
// another parent, the error is an [InputError].
func (p Parents) Create(ctx context.Context, n NewParent) (Parent, error) {
	a, err := mayChange(ctx, p.entity)
	if err != nil {
		return Parent{}, p.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Parent{}, err
	}
	return p.one(ctx, "create", a, `
		with written as (
			insert into parents (name, phone, user_id) select @name, @phone, @user_id where `+a.session()+` returning *
		), `+linkChildren, n.args())
}

// Update replaces the fields of a parent with n, and returns the parent. If the parent has another
// version, the error is [ErrChanged]; the other errors are those of Get and Create.
func (p Parents) Update(ctx context.Context, id int64, version Version, n NewParent) (Parent, error) {
	a, err := mayChange(ctx, p.entity)
	if err != nil {
		return Parent{}, p.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Parent{}, err
	}
	return p.changed(ctx, "update", a, id, version, `
		with written as (
			update parents set name = @name, phone = @phone, user_id = @user_id, `+touch("parents")+`
			where `+p.target(a, version)+` returning *
		), `+linkChildren, n.args())
}

// linkChildren ends a statement that has written a parent: it replaces the children of the parent,
// and returns the parent with its argument as the children, as [linkClasses] does.
var linkChildren = `unlinked as (
		delete from student_parents sp using written
		where sp.parent_id = written.id and sp.student_id <> all(@child_ids::bigint[])
	), linked as (
		insert into student_parents (parent_id, student_id, relation)
		select written.id, c.student_id, c.relation
		from written, json_to_recordset(@children::json) c (student_id bigint, relation text)
		on conflict (student_id, parent_id) do update set relation = excluded.relation
	)
	select ` + parentColumns("@children::json") + " from written parents"

func (n NewParent) args() pgx.StrictNamedArgs {
	children := append([]Child{}, n.Children...) // not nil, which would be NULL
	slices.SortFunc(children, func(a, b Child) int { return cmp.Compare(a.StudentID, b.StudentID) })
	ids := make([]int64, len(children))
	for i, c := range children {
		ids[i] = c.StudentID
	}
	return pgx.StrictNamedArgs{
		"name": n.Name, "phone": n.Phone, "user_id": n.UserID, "child_ids": ids, "children": children,
	}
}

// Delete deletes a parent. The errors are those of Update.
func (p Parents) Delete(ctx context.Context, id int64, version Version) error {
	return p.delete(ctx, id, version, "")
}
