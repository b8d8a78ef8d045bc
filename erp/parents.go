package erp

import (
	"cmp"
	"context"
	"slices"
)

// Parents are the parents of the school of the context. It is safe for concurrent use if its Querier is.
type Parents struct{ table[Parent] }

// NewParents returns the parents that db reaches.
func NewParents(db Querier) Parents {
	return Parents{table[Parent]{db: db, noun: parentNoun, columns: parentColumns(childrenOfParent)}}
}

// parentColumns are those of [Parent], in its order.
func parentColumns(children string) string {
	return "parents.id, parents.name, parents.phone, parents.user_id, " + children + ", parents.created_at, parents.updated_at"
}

const childrenOfParent = `(select coalesce(json_agg(json_build_object('student_id', students.id, 'relation', sp.relation) order by students.id), '[]')
	from student_parents sp join students on students.id = sp.student_id where sp.parent_id = parents.id and @students)`

// ParentFilter narrows a list of parents down. Its zero value does not.
type ParentFilter struct {
	StudentID int64  // the parents of a student; none where the viewer does not see the student
	Search    string // a part of the name or the phone number, in any case
}

func (f ParentFilter) conditions() (c conditions) {
	c.id(`parents.id in (select sp.parent_id from student_parents sp
		join students on students.id = sp.student_id where sp.student_id = ? and @students)`, f.StudentID)
	c.search("parents.name || ' ' || parents.phone", f.Search)
	return c
}

// List returns the parents of a page by id, and the After of the next page, or 0 when there is none.
func (p Parents) List(ctx context.Context, f ParentFilter, page Page) ([]Parent, int64, error) {
	return p.list(ctx, page, f.conditions())
}

// Get returns a parent, or [ErrNotFound].
func (p Parents) Get(ctx context.Context, id int64) (Parent, error) { return p.get(ctx, id) }

// Create adds a parent with their children. A student or a user that is not there, or is another parent's, is an
// [InputError].
func (p Parents) Create(ctx context.Context, n NewParent) (Parent, error) {
	s, err := changing(ctx, p.noun)
	if err != nil {
		return Parent{}, p.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Parent{}, err
	}
	s.add("with written as (insert into parents (name, phone, user_id) select ?, ?, ? where ", n.Name, n.Phone, n.UserID)
	s.current()
	s.add(" returning *)")
	p.link(s, n)
	return p.one(ctx, "create", s)
}

// Update makes a parent what n says, and returns them as they are then. Where they are not in that version any more the
// error is [ErrChanged]; others are those of Get and Create.
func (p Parents) Update(ctx context.Context, id int64, version Version, n NewParent) (Parent, error) {
	s, err := changing(ctx, p.noun)
	if err != nil {
		return Parent{}, p.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return Parent{}, err
	}
	s.add("with written as (update parents set name = ?, phone = ?, user_id = ?, "+touch(p.noun.table)+" where ", n.Name, n.Phone, n.UserID)
	p.at(s, id, version)
	s.add(" returning *)")
	p.link(s, n)
	return p.changed(ctx, "update", id, s)
}

// link makes the children of the parent that was written those of n, and returns the parent; see [Teachers.link].
func (p Parents) link(s *statement, n NewParent) {
	children := append([]Child{}, n.Children...) // not nil, which would be NULL
	slices.SortFunc(children, func(a, b Child) int { return cmp.Compare(a.StudentID, b.StudentID) })
	ids := make([]int64, len(children))
	for i, c := range children {
		ids[i] = c.StudentID
	}
	s.add(`, unlinked as (delete from student_parents sp using written where sp.parent_id = written.id and sp.student_id <> all(?::bigint[]))`, ids)
	s.add(`, linked as (insert into student_parents (parent_id, student_id, relation)
		select written.id, c.student_id, c.relation from written, json_to_recordset(?::json) c (student_id bigint, relation text)
		on conflict (student_id, parent_id) do update set relation = excluded.relation)`, children)
	s.add(" select "+parentColumns("?::json")+" from written parents", children)
}

// Delete deletes a parent. The errors are those of Update.
func (p Parents) Delete(ctx context.Context, id int64, version Version) error {
	return p.delete(ctx, id, version)
}
