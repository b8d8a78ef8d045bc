package schemactx

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

// MaxNameLen is the maximum length of a schema name in bytes. PostgreSQL silently cuts longer
// identifiers (NAMEDATALEN-1), so two long names could become the same schema.
const MaxNameLen = 63

// Public is the schema of the registry and of everything else that tenants share.
const Public = "public"

// ValidateName returns nil if name is valid for a tenant's schema. It must match
// [a-z_][a-z0-9_]{0,62}. It must not be a name that PostgreSQL or the registry reserves (public,
// information_schema, pg_*), or a keyword in place of a role or a path (none, default). Otherwise
// it returns a [NameError] with the broken rule. A valid name causes no allocation.
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

// QuoteName returns the parts of a name, such as schema and table, quoted and joined by dots. It is
// the only place in the library where the name of a schema, role or table becomes SQL. It returns a
// [NameError] for a part that is empty, is longer than 63 bytes or contains a NUL, which
// [pgx.Identifier.Sanitize] would silently drop.
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
