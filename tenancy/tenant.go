package tenancy

import (
	"encoding/json"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oryne/pgtenant/internal/hostname"
)

// Status is where a tenant stands in its life. Only an active tenant's requests are served.
type Status string

const (
	Stocked      Status = "stocked"      // made in advance, nobody's yet; it has no host
	Provisioning Status = "provisioning" // being created, or a create that failed
	Active       Status = "active"       // served
	Suspended    Status = "suspended"    // refused with 403
	Maintenance  Status = "maintenance"  // refused with 503 for a while
	Dropping     Status = "dropping"     // on its way out; as if it were gone
)

// Tenant is one customer: a row of the registry, with a schema and a role of its own.
//
// A [Registry] on the runtime login reads what requests need. Operation, Metadata and Registry are
// for the platform's own work: they are empty unless a [Manager] has read the tenant.
type Tenant struct {
	ID        int64
	Schema    string // tenant_<id> unless chosen otherwise; unique and never reused
	Slug      string // short name for people and URLs; unique
	Name      string // display name
	Status    Status
	Reason    string           // why it is suspended or in maintenance, for people; else empty
	Until     time.Time        // when maintenance is expected to end; zero: nobody knows
	Plan      string           // what the customer has booked; the library gives it no meaning
	Limits    map[string]int64 // numbers by name, beside or instead of those of the plan; never nil
	Placement string           // the name of the server that holds the schema: "default"
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // grows with each change of the row, see [Manager.Update]

	Operation *Operation      // the operation on it that has not ended; nil: none
	Metadata  json.RawMessage // a JSON object of the platform's own; {} if there is nothing
	Registry  string          // the UUID of the tenant's registry, see [Registry.Identity]
}

// MaxNameLen is the longest display name of a tenant, in characters.
const MaxNameLen = 200

// ValidateSlug reports whether slug can name a tenant: one DNS label of 1 to 63 lower-case
// letters, digits and inner hyphens. The error is a [FieldError].
func ValidateSlug(slug string) error {
	switch {
	case slug == "":
		return &FieldError{Field: "slug", Value: slug, Rule: "is empty"}
	case !hostname.ValidLabel(slug):
		return &FieldError{Field: "slug", Value: slug, Rule: "is not 1 to 63 lower-case letters, digits and inner hyphens"}
	}
	return nil
}

// ValidateDisplayName reports whether name can be a tenant's display name: 1 to [MaxNameLen]
// characters of valid UTF-8, none of them a control character. The error is a [FieldError].
func ValidateDisplayName(name string) error {
	if name == "" {
		return &FieldError{Field: "name", Value: name, Rule: "is empty"}
	}
	return validateText("name", name, MaxNameLen, "is longer than 200 characters")
}

// validateText reports whether a text for people is one line of at most limit characters.
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
