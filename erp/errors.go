package erp

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotFound is returned by stores for what is not there, or not in this school.
var ErrNotFound = errors.New("not found")

// InputError is returned when input was refused. Nothing was written.
type InputError struct {
	Fields   []FieldError
	Conflict bool // the input is fine by itself and clashes with what is there
}

// FieldError is one refused field.
type FieldError struct {
	Field string // as in JSON
	Rule  string // as the end of a sentence: "is empty"
}

func (e *InputError) Error() string {
	var b strings.Builder
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Field + " " + f.Rule)
	}
	return b.String()
}

// refusals collects what is wrong with an input.
type refusals []FieldError

func (r *refusals) add(field, rule string) { *r = append(*r, FieldError{Field: field, Rule: rule}) }

func (r refusals) err() error {
	if len(r) == 0 {
		return nil
	}
	return &InputError{Fields: r}
}

// constraints are those that input can break and validation cannot foresee.
var constraints = map[string]InputError{
	"students_admission_number_key": {Fields: []FieldError{{"admission_number", "is taken by another student"}}, Conflict: true},
	"students_class_id_fkey":        {Fields: []FieldError{{"class_id", "is no class of this school"}}},
}

// fromDatabase turns an error of the database into one of input where it is the input's.
func fromDatabase(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	if input, ok := constraints[pgErr.ConstraintName]; ok {
		return &input
	}
	return err
}
