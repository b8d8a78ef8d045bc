package erp

import (
	"unicode"
	"unicode/utf8"
)

// refusals collects the errors of an input.
type refusals []FieldError

func (r *refusals) add(field, rule string) { *r = append(*r, FieldError{Field: field, Rule: rule}) }

func (r refusals) err() error {
	if len(r) == 0 {
		return nil
	}
	return &InputError{Fields: r}
}

// reference refuses an id that no row can have. Whether a row has it, the database checks.
func (r *refusals) reference(field string, id *int64, to entity) {
	if id != nil && *id < 1 {
		r.add(field, "is no "+to.singular+" of this school")
	}
}

// text refuses a text that is empty, too long, or that PostgreSQL cannot store.
func (r *refusals) text(field, value string, longest int) {
	switch {
	case value == "":
		r.add(field, "is empty")
	case !utf8.ValidString(value):
		r.add(field, "is not valid UTF-8")
	case utf8.RuneCountInString(value) > longest:
		r.add(field, "is too long")
	case containsControl(value):
		r.add(field, "holds a control character")
	}
}

func containsControl(s string) bool {
	for _, c := range s {
		if unicode.IsControl(c) {
			return true
		}
	}
	return false
}

// optional is text, but allows an empty one.
func (r *refusals) optional(field, value string, longest int) {
	if value != "" {
		r.text(field, value, longest)
	}
}
