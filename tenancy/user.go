package tenancy

import (
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// User is somebody who works for the platform, and no tenant's: tenants' own users are in their schemas.
type User struct {
	ID           int64
	Email        string // unique, in the form of [NormalizeEmail]
	Name         string // for people, see [ValidateName]
	PasswordHash PasswordHash
	DisabledAt   time.Time // zero unless disabled
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Version      int64 // grows with each change of the row, see [Users.Update]
}

// Disabled reports whether the user may not log in any more.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

// The hash of a disabled user stays where it is: a login that forgets to ask finds none that a password could fit.
const userColumns = `u.id, u.email, u.name, case when u.disabled_at is null then u.password_hash else '' end,
	u.disabled_at, u.created_at, u.updated_at, u.version`

func scanUser(row pgx.CollectableRow) (User, error) {
	var u User
	var hash string
	var disabled *time.Time
	err := row.Scan(&u.ID, &u.Email, &u.Name, &hash, &disabled, &u.CreatedAt, &u.UpdatedAt, &u.Version)
	u.PasswordHash = NewPasswordHash(hash)
	if disabled != nil {
		u.DisabledAt = *disabled
	}
	return u, err
}

// CreateUserParams say what user to create.
type CreateUserParams struct {
	Email        string       // see [NormalizeEmail]
	Name         string       // see [ValidateName]
	PasswordHash PasswordHash // default: none, so that no password fits
}

func (p CreateUserParams) validate() (CreateUserParams, error) {
	email, err := NormalizeEmail(p.Email)
	if err != nil {
		return p, err
	}
	p.Email = email
	if err := ValidateName(p.Name); err != nil {
		return p, err
	}
	return p, validateHash(p.PasswordHash)
}

// maxHashLen is far more than any password hash has.
const maxHashLen = 1024

// validateHash does not show the hash.
func validateHash(h PasswordHash) error {
	refuse := func(rule string) error { return &FieldError{Field: "passwordhash", Value: redacted, Rule: rule} }
	hash := h.Reveal()
	if len(hash) > maxHashLen {
		return refuse("is longer than 1024 bytes")
	}
	for i := range len(hash) {
		if hash[i] < ' ' || hash[i] > '~' {
			return refuse("is not printable ASCII")
		}
	}
	return nil
}

// UserChanges are what [Users.Update] sets; what is nil stays.
type UserChanges struct {
	Email        *string
	Name         *string
	PasswordHash *PasswordHash
}

func (c UserChanges) validate() (UserChanges, error) {
	if c.Email != nil {
		email, err := NormalizeEmail(*c.Email)
		if err != nil {
			return c, err
		}
		c.Email = &email
	}
	if c.Name != nil {
		if err := ValidateName(*c.Name); err != nil {
			return c, err
		}
	}
	if c.PasswordHash != nil {
		return c, validateHash(*c.PasswordHash)
	}
	return c, nil
}

// UserFilter says which users to list. The zero value means all, from the beginning.
type UserFilter struct {
	// After is the id behind which to go on: Next of the page before. Default: 0, the first.
	After int64

	// Limit is the most users of a page. Default: [DefaultPageSize]; more than [MaxPageSize] and negative ones are a
	// [FieldError].
	Limit int
}

func (f UserFilter) validate() (UserFilter, error) {
	if f.Limit < 0 || f.Limit > MaxPageSize {
		return f, &FieldError{Field: "limit", Value: strconv.Itoa(f.Limit), Rule: "is not between 0 and 1000"}
	}
	if f.Limit == 0 {
		f.Limit = DefaultPageSize
	}
	return f, nil
}

// UserPage is a part of a list of users, by id.
type UserPage struct {
	Users []User
	Next  int64 // [UserFilter].After of the next page; 0: this is the last
}
