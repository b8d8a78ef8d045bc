package tenancy

import (
	"encoding/json"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oryne/pgtenant/internal/hostname"
)

// Status is the state of a tenant. Only requests of an active tenant are served.
type Status string

const (
	Stocked      Status = "stocked"      // created in advance, not assigned to a customer; it has no host
	Provisioning Status = "provisioning" // being created, also after a failed create
	Active       Status = "active"       // requests are served
	Suspended    Status = "suspended"    // requests are refused with 403
	Maintenance  Status = "maintenance"  // requests are refused with 503, for a while
	Dropping     Status = "dropping"     // being dropped; requests are answered as if it did not exist
)

// Tenant is one customer: a row of the registry, with a schema and a role of its own.
//
// A [Registry] with the runtime login reads the columns that requests need. Operation, Metadata and
// Registry are for the platform's own work: they are empty unless a [Manager] has read the tenant.
type Tenant struct {
	ID        int64
	Schema    string // tenant_<id> unless chosen by the caller; unique and never reused
	Slug      string // short name for people and URLs; unique
	Name      string // display name
	Status    Status
	Reason    string           // why it is suspended or in maintenance, for people; empty in other statuses
	Until     time.Time        // when maintenance is expected to end; zero: not known
	Plan      string           // the plan that the customer has booked; the library gives it no meaning
	Limits    map[string]int64 // numbers by name, in addition to those of the plan or instead of them; never nil
	Placement string           // the name of the server that has the schema: "default"
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // increases with each change of the row, see [Manager.Update]

	Operation *Operation      // the operation on it that has not ended; nil: none
	Metadata  json.RawMessage // a JSON object that the platform defines; {} by default
	Registry  string          // the UUID of the tenant's registry, see [Registry.Identity]
}

// MaxNameLen is the maximum length of a tenant's display name, in characters.
const MaxNameLen = 200

// ValidateSlug returns nil if slug can name a tenant: one DNS label of 1 to 63 lower-case letters,
// digits and inner hyphens. The error is a [FieldError].
func ValidateSlug(slug string) error {
	switch {
	case slug == "":
		return &FieldError{Field: "slug", Value: slug, Rule: "is empty"}
	case !hostname.ValidLabel(slug):
		return &FieldError{Field: "slug", Value: slug, Rule: "is not 1 to 63 lower-case letters, digits and inner hyphens"}
	}
	return nil
}

// ValidateDisplayName returns nil if name can be a tenant's display name: 1 to [MaxNameLen]
// characters of valid UTF-8, without control characters. The error is a [FieldError].
func ValidateDisplayName(name string) error {
	if name == "" {
		return &FieldError{Field: "name", Value: name, Rule: "is empty"}
	}
	return validateText("name", name, MaxNameLen, "is longer than 200 characters")
}

// validateText returns nil if text is one line of at most limit characters of valid UTF-8. The
// error is a [FieldError].
func validateText(field, text string, limit int, tooLong string) error {
	refuse := func(rule string) error { return &FieldError{Field: field, Value: text, Rule: rule} }
	switch {
	case !utf8.ValidString(text):
		return refuse("is not valid UTF-8")
	case utf8.RuneCountInString(text) > limit:
		return refuse(tooLong)
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return refuse("holds a control character")
		}
	}
	return nil
}
