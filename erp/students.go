package erp

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Querier runs a query in the school of its context: a *schemactx.DB or a transaction of it.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Students are the students of the school of the context. It is safe for concurrent use if
// its Querier is.
type Students struct {
	db Querier
}

// NewStudents returns the students that db reaches.
func NewStudents(db Querier) Students { return Students{db} }

// studentColumns are those of [Student], in its order.
const studentColumns = "id, admission_number, first_name, last_name, date_of_birth, class_id, created_at, updated_at"

// Page says which part of a list to read.
type Page struct {
	After int64 // the last id of the page before; 0 for the first page
	Limit int   // at most; 1 to MaxLimit, DefaultLimit for 0
}

// The limits of a [Page].
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// List returns the students of a page by id, and the After of the next page, or 0 when
// there is none. A page that cannot be is an [InputError].
func (s Students) List(ctx context.Context, page Page) (students []Student, next int64, err error) {
	if page.Limit == 0 {
		page.Limit = DefaultLimit
	}
	if page.After < 0 || page.Limit < 1 || page.Limit > MaxLimit {
		return nil, 0, &InputError{Fields: []FieldError{{"limit", fmt.Sprintf("is not between 1 and %d, or after is negative", MaxLimit)}}}
	}
	// One more than asked for tells whether there is a next page.
	rows, err := s.db.Query(ctx, "select "+studentColumns+" from students where id > $1 order by id limit $2", page.After, page.Limit+1)
	if err != nil {
		return nil, 0, fmt.Errorf("list students: %w", err)
	}
	students, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Student])
	if err != nil {
		return nil, 0, fmt.Errorf("list students: %w", err)
	}
	if len(students) > page.Limit {
		students = students[:page.Limit]
		next = students[page.Limit-1].ID
	}
	return students, next, nil
}

// Get returns a student, or [ErrNotFound].
func (s Students) Get(ctx context.Context, id int64) (Student, error) {
	return s.one(ctx, "get student", "select "+studentColumns+" from students where id = $1", id)
}

// Create admits a student. Input that is refused, by [NewStudent.Validate] or because the
// admission number is taken or the class is not there, is an [InputError].
func (s Students) Create(ctx context.Context, n NewStudent) (Student, error) {
	if err := n.Validate(); err != nil {
		return Student{}, err
	}
	return s.one(ctx, "create student", `insert into students (admission_number, first_name, last_name, date_of_birth, class_id)
		values ($1, $2, $3, $4, $5) returning `+studentColumns,
		n.AdmissionNumber, n.FirstName, n.LastName, n.DateOfBirth, n.ClassID)
}

func (s Students) one(ctx context.Context, operation, sql string, args ...any) (Student, error) {
	rows, err := s.db.Query(ctx, sql, args...)
	if err != nil {
		return Student{}, fmt.Errorf("%s: %w", operation, fromDatabase(err))
	}
	student, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Student])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Student{}, fmt.Errorf("%s: %w", operation, ErrNotFound)
	case err != nil:
		return Student{}, fmt.Errorf("%s: %w", operation, fromDatabase(err))
	}
	return student, nil
}
