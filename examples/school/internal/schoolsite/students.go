package schoolsite

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/oryne/pgtenant/erp"
)

// pageSize is the number of students, or fees, on a page.
const pageSize = 25

// front is the first page of a school.
type front struct {
	Classes []erp.Class
	Empty   bool // the viewer sees no student
	Admin   bool
}

func (s *site) home(w http.ResponseWriter, r *http.Request, p person) {
	classes, err := s.allClasses(r.Context())
	if err != nil {
		s.failed(w, r, p, err)
		return
	}
	any, _, err := erp.NewStudents(s.DB).List(r.Context(), erp.StudentFilter{}, erp.Page{Limit: 1})
	if err != nil {
		s.failed(w, r, p, err)
		return
	}
	s.Render(w, r, http.StatusOK, "home", s.page(r, p, "Welcome", front{classes, len(any) == 0, p.Role == erp.RoleAdmin}))
}

// studentList is a page of the list of students.
type studentList struct {
	Search, Class string
	Classes       []erp.Class
	Students      []studentRow
	Similar       []erp.Student // students with similar names, if the search found none
	Next          string        // the address of the next page
}

// studentRow is a student with the name of the class.
type studentRow struct {
	erp.Student
	Class string
}

func (s *site) students(w http.ResponseWriter, r *http.Request, p person) {
	q := r.URL.Query()
	l := studentList{Search: q.Get("q"), Class: q.Get("class")}
	class, after := number(l.Class), number(q.Get("after"))
	students, next, err := erp.NewStudents(s.DB).
		List(r.Context(), erp.StudentFilter{ClassID: class, Search: l.Search}, erp.Page{After: after, Limit: pageSize})
	if err == nil && len(students) == 0 && l.Search != "" {
		l.Similar, err = s.similar(r.Context(), l.Search)
	}
	if err == nil {
		l.Classes, err = s.allClasses(r.Context())
	}
	if err != nil {
		s.failed(w, r, p, err)
		return
	}
	names := classNames(l.Classes)
	for _, student := range students {
		l.Students = append(l.Students, studentRow{student, names[value(student.ClassID)]})
	}
	l.Next = nextPage(q, next)
	s.Render(w, r, http.StatusOK, "students", s.page(r, p, "Students", l))
}

// card is the page of one student.
type card struct {
	studentRow
	Parents []parentRow
	Fees    []erp.Fee
	Owed    []erp.Money // by currency
	Private bool        // the viewer may not see parents and fees
}

// parentRow is a parent with the relation to the student.
type parentRow struct {
	erp.Parent
	Relation string
}

func (s *site) student(w http.ResponseWriter, r *http.Request, p person) {
	ctx := r.Context()
	student, err := erp.NewStudents(s.DB).Get(ctx, number(r.PathValue("id")))
	if err != nil {
		s.failed(w, r, p, err)
		return
	}
	c := card{studentRow: studentRow{Student: student}}
	if err := errors.Join(s.classOf(ctx, &c), s.parentsOf(ctx, &c), s.feesOf(ctx, &c)); err != nil {
		s.failed(w, r, p, err)
		return
	}
	s.Render(w, r, http.StatusOK, "student", s.page(r, p, student.FirstName+" "+student.LastName, c))
}

func (s *site) classOf(ctx context.Context, c *card) error {
	if c.ClassID == nil {
		return nil
	}
	class, err := erp.NewClasses(s.DB).Get(ctx, *c.ClassID)
	if errors.Is(err, erp.ErrNotFound) {
		return nil // the viewer may not see the class
	}
	c.Class = className(class)
	return err
}

func (s *site) parentsOf(ctx context.Context, c *card) error {
	parents, _, err := erp.NewParents(s.DB).List(ctx, erp.ParentFilter{StudentID: c.ID}, erp.Page{})
	if errors.Is(err, erp.ErrForbidden) {
		c.Private = true
		return nil
	}
	for _, parent := range parents {
		g := parentRow{Parent: parent}
		for _, child := range parent.Children {
			if child.StudentID == c.ID {
				g.Relation = child.Relation
			}
		}
		c.Parents = append(c.Parents, g)
	}
	return err
}

func (s *site) feesOf(ctx context.Context, c *card) (err error) {
	c.Fees, _, err = erp.NewFees(s.DB).List(ctx, erp.FeeFilter{StudentID: c.ID}, erp.Page{})
	if errors.Is(err, erp.ErrForbidden) {
		return nil
	}
	owed := make(map[erp.Currency]int)
	for _, fee := range c.Fees {
		i, known := owed[fee.Currency]
		if !known {
			i, owed[fee.Currency] = len(c.Owed), len(c.Owed)
			c.Owed = append(c.Owed, erp.Money{Currency: fee.Currency})
		}
		sum, overflow := c.Owed[i].Add(fee.Owed())
		if overflow != nil {
			return overflow
		}
		c.Owed[i] = sum
	}
	return err
}

// number parses an id. For an invalid id it returns 0, which no row has.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func value(id *int64) int64 {
	if id == nil {
		return 0
	}
	return *id
}

// nextPage returns the address of the next page, or "" after the last page.
func nextPage(q url.Values, next int64) string {
	if next == 0 {
		return ""
	}
	q.Set("after", strconv.FormatInt(next, 10))
	return "?" + q.Encode()
}
