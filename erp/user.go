package erp

import (
	"errors"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// User is a person who can log in at the school. It does not contain the password hash.
type User struct {
	ID         int64      `json:"id"`
	Email      string     `json:"email"` // as [platformuser.NormalizeEmail] returns it; unique, ignoring case
	Name       string     `json:"name"`  // 1 to 200 characters
	Role       Role       `json:"role"`
	DisabledAt *time.Time `json:"disabled_at"` // nil: may log in
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

// Version returns the version that was read.
func (u User) Version() Version { return versionOf(u.UpdatedAt) }

func (u User) id() int64 { return u.ID }

// NewUser is the input of [Users.Create] and [Users.Update]. It has no password: a new user cannot
// log in before [Users.SetPassword].
type NewUser struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Role     Role   `json:"role"`
	Disabled bool   `json:"disabled"`
}

// Validate returns an [InputError] that names every invalid field.
func (n NewUser) Validate() error {
	_, err := n.normal()
	return err
}

// normal returns u with the address in normal form.
func (n NewUser) normal() (NewUser, error) {
	var r refusals
	email, err := platformuser.NormalizeEmail(n.Email)
	if fe := (*tenancy.FieldError)(nil); errors.As(err, &fe) {
		r.add("email", fe.Rule)
	}
	n.Email = email
	r.text("name", n.Name, 200)
	if !n.Role.valid() {
		r.add("role", "is none of admin, teacher, parent and student")
	}
	return n, r.err()
}

// valid reports whether a user can have the role.
func (r Role) valid() bool {
	switch r {
	case RoleAdmin, RoleTeacher, RoleParent, RoleStudent:
		return true
	}
	return false
}
