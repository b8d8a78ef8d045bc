package schemactx

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxPrefixLen leaves room for a schema name of 40 bytes in a role name.
const maxPrefixLen = 20

// RoleNames are the names of the PostgreSQL roles of one database. Roles belong to the whole
// server, so each database that uses this package on it has its own prefix:
//
//	<prefix>_owner      owns schemas and tables; migrates and provisions
//	<prefix>_runtime    the login that serves requests; has no privileges of its own
//	<prefix>_public     the privileges of a public scope
//	<prefix>__<schema>  the privileges of a scope of that tenant
//
// The zero value is not valid; see [NewRoleNames].
type RoleNames struct {
	prefix string
}

// NewRoleNames returns the role names for prefix. prefix must match [a-z][a-z0-9_]{0,19}, must not
// contain two underscores in a row and must not end with one, so that role names of two prefixes
// never coincide. For any other prefix it returns a [NameError].
func NewRoleNames(prefix string) (RoleNames, error) {
	if err := ValidateName(prefix); err != nil {
		return RoleNames{}, err
	}
	switch {
	case len(prefix) > maxPrefixLen:
		return RoleNames{}, &NameError{Name: prefix, Rule: "is longer than 20 bytes, too long for a role prefix"}
	case prefix[0] == '_', strings.HasSuffix(prefix, "_"), strings.Contains(prefix, "__"):
		return RoleNames{}, &NameError{
			Name: prefix,
			Rule: "begins or ends with an underscore or has two in a row, which a role prefix must not",
		}
	}
	return RoleNames{prefix: prefix}, nil
}

// DefaultRoleNames returns the role names for a database. The prefix is the database's name if that
// is valid, else one made from the hash of the name.
func DefaultRoleNames(database string) RoleNames {
	if r, err := NewRoleNames(database); err == nil {
		return r
	}
	sum := sha256.Sum256([]byte(database))
	return RoleNames{prefix: "db_" + hex.EncodeToString(sum[:8])}
}

// Prefix returns the prefix of all names.
func (r RoleNames) Prefix() string { return r.prefix }

// Owner returns the name of the role that owns schemas and tables.
func (r RoleNames) Owner() string { return r.prefix + "_owner" }

// Runtime returns the name of the login that serves requests.
func (r RoleNames) Runtime() string { return r.prefix + "_runtime" }

// Public returns the name of the role of public scopes.
func (r RoleNames) Public() string { return r.prefix + "_public" }

// Tenant returns the name of the role of a tenant's schema. If the name would be longer than 63
// bytes, a hash replaces the schema. Such a name begins with <prefix>_x_, as no other role of this
// package does.
func (r RoleNames) Tenant(schema string) string {
	name := r.prefix + "__" + schema
	if len(name) <= MaxNameLen {
		return name
	}
	sum := sha256.Sum256([]byte(schema))
	return r.prefix + "_x_" + hex.EncodeToString(sum[:16])
}

// ValidateSchema is [ValidateName] for the schema of a new tenant. It also refuses, with a
// [NameError], the names of the owner, the runtime login and the public role, and names that begin
// like the roles of tenants. The reason is PostgreSQL's default search path, which begins with
// "$user". A session of such a role that sets no path would find the tenant's tables and create its
// own there.
func (r RoleNames) ValidateSchema(name string) error {
	if err := ValidateName(name); err != nil {
		return err
	}
	switch {
	case name == r.Owner(), name == r.Runtime(), name == r.Public():
		return &NameError{Name: name, Rule: "is the name of a role, whose sessions would find the schema by \"$user\""}
	case strings.HasPrefix(name, r.prefix+"__"), strings.HasPrefix(name, r.prefix+"_x_"):
		return &NameError{Name: name, Rule: "begins like a tenant's role, whose sessions would find the schema by \"$user\""}
	}
	return nil
}
