package erp

import (
	"errors"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// User is somebody who can log in at the school. The password is never read.
type User struct {
	ID         int64      `json:"id"`
	Email      string     `json:"email"` // unique in the school in any case, in the form of [platformuser.NormalizeEmail]
	Name       string     `json:"name"`  // 1 to 200 characters
	Role       Role       `json:"role"`
	DisabledAt *time.Time `json:"disabled_at"` // nil: may log in
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

// Version returns the version that was read.
func (u User) Version() Version { return versionOf(u.UpdatedAt) }

func (u User) id() int64 { return u.ID }

// NewUser is what a user is made of, at first and by each update. There is no password: until
// [Users.SetPassword] the user cannot log in.
type NewUser struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Role     Role   `json:"role"`
	Disabled bool   `json:"disabled"`
}

// Validate returns an [InputError] that names every field that cannot be.
func (u NewUser) Validate() error {
	_, err := u.normal()
	return err
}

// normal returns u with the address in its one form.
func (u NewUser) normal() (NewUser, error) {
	var r refusals
	email, err := platformuser.NormalizeEmail(u.Email)
	if fe := (*tenancy.FieldError)(nil); errors.As(err, &fe) {
		r.add("email", fe.Rule)
	}
	u.Email = email
	r.text("name", u.Name, 200)
	if !u.Role.valid() {
		r.add("role", "is none of admin, teacher, parent and student")
	}
	return u, r.err()
}

// valid reports whether a user can have the role.
func (r Role) valid() bool {
	switch r {
	case RoleAdmin, RoleTeacher, RoleParent, RoleStudent:
		return true
	}
	return false
}
