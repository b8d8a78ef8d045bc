package erp

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrNotFound is returned by stores for a row that does not exist in this school, or that the
	// viewer must not see.
	ErrNotFound = errors.New("not found")

	// ErrNoViewer is returned by stores if the context has no viewer, see [NewContext].
	ErrNoViewer = errors.New("no viewer in the context")

	// ErrForbidden is returned by stores for an action that the viewer's role may never do.
	ErrForbidden = errors.New("not for this role")

	// ErrSessionOver is returned by stores if the viewer's session has ended, or the user is disabled,
	// deleted, or has another role.
	ErrSessionOver = errors.New("session is over")

	// ErrChanged is returned by stores if the row to change has another version than expected.
	ErrChanged = errors.New("changed by another request")
)

// InputError is returned if input was refused. Nothing was written.
type InputError struct {
	Fields   []FieldError
	Conflict bool // the input is valid by itself, and conflicts with existing rows
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

// constraints are the constraints of the tables that input can violate and validation cannot check.
var constraints = map[string]InputError{
	"users_email_key":                 clash("email", "is taken by another user"),
	"classes_name_section_year_key":   clash("name", "is taken by another class of the section and year"),
	"students_admission_number_key":   clash("admission_number", "is taken by another student"),
	"students_class_id_fkey":          unknown("class_id", "is no class of this school"),
	"students_user_id_fkey":           unknown("user_id", "is no user of this school"),
	"students_user_id_key":            clash("user_id", "is another student's"),
	"teachers_user_id_fkey":           unknown("user_id", "is no user of this school"),
	"teachers_user_id_key":            clash("user_id", "is another teacher's"),
	"class_teachers_class_id_fkey":    unknown("class_ids", "hold one that is no class of this school"),
	"parents_user_id_fkey":            unknown("user_id", "is no user of this school"),
	"parents_user_id_key":             clash("user_id", "is another parent's"),
	"student_parents_student_id_fkey": unknown("children", "hold one who is no student of this school"),

	"fee_structures_class_id_fkey":          unknown("class_id", "is no class of this school"),
	"fee_structures_class_id_name_term_key": clash("name", "is taken by another structure of the class and term"),
	"fees_invoiced_fkey": clash(
		"amount_minor",
		"is fixed, as are class_id, term and currency: there are fees of it",
	),
	"fees_student_id_fkey":                 unknown("student_id", "is no student of this school"),
	"fees_student_id_fee_structure_id_key": clash("student_id", "has this fee already"),
	"fees_cancelled_at_check":              clash("cancelled", "is for fees of which nothing is paid: refund it first"),
	"fees_paid_at_most_check":              clash("amount_minor", "is more than is owed"),
	"fees_paid_at_least_check":             clash("amount_minor", "is more than has been paid"),
	"payments_fee_id_fkey":                 unknown("currency", "is not the fee's"),
}

func unknown(field, rule string) InputError { return InputError{Fields: []FieldError{{field, rule}}} }

func clash(field, rule string) InputError {
	return InputError{Fields: []FieldError{{field, rule}}, Conflict: true}
}

// err returns a copy of e as an error.
func (e InputError) err() error { return &e }

// inUse has the foreign keys that can prevent a delete, and the rule that the error states for
// each.
var inUse = map[string]string{
	"students_class_id_fkey":       "has students",
	"fee_structures_class_id_fkey": "has fee structures",
	"fees_student_id_fkey":         "has fees",
	"fees_invoiced_fkey":           "has fees",
	"students_user_id_fkey":        "is a student's",
	"teachers_user_id_fkey":        "is a teacher's",
	"parents_user_id_fkey":         "is a parent's",
}

// fromDatabase returns an [InputError] for an error of the database that the input has caused, and
// any other error as it is.
func fromDatabase(err error, deletes bool) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	if deletes {
		if rule, ok := inUse[pgErr.ConstraintName]; ok {
			return &InputError{Fields: []FieldError{{"id", rule}}, Conflict: true}
		}
		return err
	}
	if input, ok := constraints[pgErr.ConstraintName]; ok {
		return &input
	}
	return err
}
