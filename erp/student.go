package erp

import "time"

// Student is a pupil of the school.
type Student struct {
	ID              int64     `json:"id"`
	AdmissionNumber string    `json:"admission_number"` // unique in the school, 1 to 50 characters
	FirstName       string    `json:"first_name"`       // 1 to 100 characters
	LastName        string    `json:"last_name"`        // 1 to 100 characters
	DateOfBirth     *Date     `json:"date_of_birth"`    // nil: unknown
	ClassID         *int64    `json:"class_id"`         // nil: in no class
	UserID          *int64    `json:"user_id"`          // the student's own login; nil: none
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
}

// Version returns the version that was read.
func (s Student) Version() Version { return versionOf(s.UpdatedAt) }

func (s Student) id() int64 { return s.ID }

// NewStudent is the input of [Students.Create] and [Students.Update].
type NewStudent struct {
	AdmissionNumber string `json:"admission_number"`
	FirstName       string `json:"first_name"`
	LastName        string `json:"last_name"`
	DateOfBirth     *Date  `json:"date_of_birth"`
	ClassID         *int64 `json:"class_id"`
	UserID          *int64 `json:"user_id"`
}

// Validate returns an [InputError] that names every invalid field.
func (n NewStudent) Validate() error {
	var r refusals
	r.text("admission_number", n.AdmissionNumber, 50)
	r.text("first_name", n.FirstName, 100)
	r.text("last_name", n.LastName, 100)
	if n.DateOfBirth != nil && (n.DateOfBirth.Year() < 1900 || n.DateOfBirth.After(time.Now())) {
		r.add("date_of_birth", "is not between 1900 and today")
	}
	r.reference("class_id", n.ClassID, classEntity)
	r.reference("user_id", n.UserID, userEntity)
	return r.err()
}
