package schemactx

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

// MaxNameLen is the longest schema name in bytes. PostgreSQL cuts longer identifiers
// silently (NAMEDATALEN-1), so that two long names could meet in one schema.
const MaxNameLen = 63

// Public is the schema of the registry and of everything that tenants share.
const Public = "public"

// RegistryComment is the comment of the registry's schema where that is not [Public].
// admin.Provision and admin.Deprovision refuse a schema that has it, and admin.Check judges who may
// use it.
const RegistryComment = "pgtenant registry"

// ValidateName returns an error unless name may be a tenant's schema: it matches
// [a-z_][a-z0-9_]{0,62} and is none of the names that PostgreSQL or the registry keeps for
// itself (public, information_schema, pg_*) or reads as a keyword where a role or a
// path stands (none, default). The error is a [NameError] with the rule that was
// broken; a valid name costs no allocation.
func ValidateName(name string) error {
	switch {
	case name == "":
		return &NameError{Name: name, Rule: "is empty"}
	case len(name) > MaxNameLen:
		return &NameError{Name: name, Rule: "is longer than 63 bytes"}
	}
	for i := range len(name) {
		if !nameByte(name[i], i == 0) {
			return &NameError{Name: name, Rule: "does not match [a-z_][a-z0-9_]*"}
		}
	}
	if strings.HasPrefix(name, "pg_") || reserved(name) {
		return &NameError{Name: name, Rule: "is reserved"}
	}
	return nil
}

func nameByte(b byte, first bool) bool {
	switch {
	case b >= 'a' && b <= 'z', b == '_':
		return true
	case b >= '0' && b <= '9':
		return !first
	}
	return false
}

func reserved(name string) bool {
	switch name {
	case Public, "information_schema", "none", "default":
		return true
	}
	return false
}

// QuoteName returns the parts of a name, such as schema and table, quoted and joined by dots.
// It is the one place of the library where a schema, role or table name becomes SQL, and it
// refuses what could not have been validated: a part that is empty, longer than 63 bytes or
// holds a NUL, which [pgx.Identifier.Sanitize] would drop without a word, is a [NameError].
func QuoteName(parts ...string) (string, error) {
	if len(parts) == 0 {
		return "", &NameError{Rule: "is empty"}
	}
	for _, p := range parts {
		switch {
		case p == "":
			return "", &NameError{Name: p, Rule: "is empty"}
		case len(p) > MaxNameLen:
			return "", &NameError{Name: p, Rule: "is longer than 63 bytes"}
		case strings.ContainsRune(p, 0):
			return "", &NameError{Name: p, Rule: "holds a NUL byte"}
		}
	}
	return pgx.Identifier(parts).Sanitize(), nil
}
