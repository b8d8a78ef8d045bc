package erp

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// Student is a pupil of the school.
type Student struct {
	ID              int64     `json:"id"`
	AdmissionNumber string    `json:"admission_number"` // unique in the school, 1 to 50 characters
	FirstName       string    `json:"first_name"`       // 1 to 100 characters
	LastName        string    `json:"last_name"`        // 1 to 100 characters
	DateOfBirth     *Date     `json:"date_of_birth"`    // nil: not known
	ClassID         *int64    `json:"class_id"`         // nil: in no class
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
}

// NewStudent is what a student is made of.
type NewStudent struct {
	AdmissionNumber string `json:"admission_number"`
	FirstName       string `json:"first_name"`
	LastName        string `json:"last_name"`
	DateOfBirth     *Date  `json:"date_of_birth"`
	ClassID         *int64 `json:"class_id"`
}

// Validate returns an [InputError] that names every field that cannot be.
func (s NewStudent) Validate() error {
	var r refusals
	r.text("admission_number", s.AdmissionNumber, 50)
	r.text("first_name", s.FirstName, 100)
	r.text("last_name", s.LastName, 100)
	if s.DateOfBirth != nil && (s.DateOfBirth.Year() < 1900 || s.DateOfBirth.After(time.Now())) {
		r.add("date_of_birth", "is not between 1900 and today")
	}
	if s.ClassID != nil && *s.ClassID < 1 {
		r.add("class_id", "is no class of this school")
	}
	return r.err()
}

// text refuses what is empty, too long, or not text that PostgreSQL can hold.
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
