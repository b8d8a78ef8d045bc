package platformuser

import (
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// User is a user of the platform itself, such as an operator. It belongs to no tenant.
type User struct {
	ID           int64
	Email        string // unique, in the form of [NormalizeEmail]
	Name         string // for people, see [tenancy.ValidateDisplayName]
	PasswordHash PasswordHash
	DisabledAt   time.Time // zero unless disabled
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Version      int64 // grows with each change of the row, see [Store.Update]
}

// Disabled reports whether the user is disabled and must not log in.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

// The row of a disabled user keeps its hash, but it is not read. So a login that does not ask for
// Disabled fails too.
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

// CreateParams describes the user to create.
type CreateParams struct {
	Email        string       // see [NormalizeEmail]
	Name         string       // see [tenancy.ValidateDisplayName]
	PasswordHash PasswordHash // default: none, so that no password fits
}

func (p CreateParams) validate() (CreateParams, error) {
	email, err := NormalizeEmail(p.Email)
	if err != nil {
		return p, err
	}
	p.Email = email
	if err := tenancy.ValidateDisplayName(p.Name); err != nil {
		return p, err
	}
	return p, validateHash(p.PasswordHash)
}

// maxHashLen is more than any password hash has, in bytes.
const maxHashLen = 1024

// validateHash returns an error that does not show the hash.
func validateHash(h PasswordHash) error {
	refuse := func(rule string) error {
		return &tenancy.FieldError{Field: "password_hash", Value: redacted, Rule: rule}
	}
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

// Changes are the fields that [Store.Update] sets. A nil field stays unchanged.
type Changes struct {
	Email        *string
	Name         *string
	PasswordHash *PasswordHash
}

func (c Changes) validate() (Changes, error) {
	if c.Email != nil {
		email, err := NormalizeEmail(*c.Email)
		if err != nil {
			return c, err
		}
		c.Email = &email
	}
	if c.Name != nil {
		if err := tenancy.ValidateDisplayName(*c.Name); err != nil {
			return c, err
		}
	}
	if c.PasswordHash != nil {
		return c, validateHash(*c.PasswordHash)
	}
	return c, nil
}

// Filter selects users. The zero value selects all, from the beginning.
type Filter struct {
	// After is the id after which the page begins: Next of the previous page. Default: 0, the first
	// page.
	After int64

	// Limit is the largest number of users in the page. Default: [tenancy.DefaultPageSize]. A negative
	// limit and one above [tenancy.MaxPageSize] is a [tenancy.FieldError].
	Limit int
}

func (f Filter) validate() (Filter, error) {
	if f.Limit < 0 || f.Limit > tenancy.MaxPageSize {
		return f, &tenancy.FieldError{Field: "limit", Value: strconv.Itoa(f.Limit), Rule: "is not between 0 and 1000"}
	}
	if f.Limit == 0 {
		f.Limit = tenancy.DefaultPageSize
	}
	return f, nil
}

// Page is a part of a list of users, by id.
type Page struct {
	Users []User
	Next  int64 // [Filter].After of the next page; 0: this is the last
}
