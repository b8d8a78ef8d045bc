package tenancy

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// Status is where a tenant stands in its life. Only an active tenant's requests are served.
type Status string

const (
	Provisioning Status = "provisioning" // being created, or a create that failed
	Active       Status = "active"       // served
	Suspended    Status = "suspended"    // refused with 403
	Maintenance  Status = "maintenance"  // refused with 503 for a while
	Dropping     Status = "dropping"     // on its way out; as if it were gone
)

// Tenant is one customer: a row of the registry, with a schema and a role of its own.
type Tenant struct {
	ID        int64
	Schema    string // tenant_<id> unless chosen otherwise; unique and never reused
	Slug      string // short name for people and URLs; unique
	Name      string // display name
	Status    Status
	Failure   string // what stopped the last attempt to provision it; empty if nothing did
	CreatedAt time.Time
	UpdatedAt time.Time
}

// MaxNameLen is the longest display name of a tenant, in characters.
const MaxNameLen = 200

// ValidateSlug reports whether slug can name a tenant: one DNS label of 1 to 63 lower-case
// letters, digits and inner hyphens. The error is a [FieldError].
func ValidateSlug(slug string) error {
	switch {
	case slug == "":
		return &FieldError{Field: "slug", Value: slug, Rule: "is empty"}
	case !validLabel(slug):
		return &FieldError{Field: "slug", Value: slug, Rule: "is not 1 to 63 lower-case letters, digits and inner hyphens"}
	}
	return nil
}

// ValidateName reports whether name can be a tenant's display name: 1 to [MaxNameLen]
// characters of valid UTF-8, none of them a control character. The error is a [FieldError].
func ValidateName(name string) error {
	refuse := func(rule string) error { return &FieldError{Field: "name", Value: name, Rule: rule} }
	switch {
	case name == "":
		return refuse("is empty")
	case !utf8.ValidString(name):
		return refuse("is not valid UTF-8")
	case utf8.RuneCountInString(name) > MaxNameLen:
		return refuse("is longer than 200 characters")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return refuse("holds a control character")
		}
	}
	return nil
}
