package schemactx

import (
	"fmt"
	"slices"
	"strings"
)

// pgTemp is last in every path, so a temporary table never hides a tenant's table.
const pgTemp = ", pg_temp"

// SearchPath returns the search path of the scopes of schema, as SQL text: the schema, the extra
// schemas in their order, and pg_temp. Package migrate, the backups and the commands use this
// function too, so a name means the same everywhere. For [Public] an extra "public" is omitted,
// because it is already the first.
//
// An extra schema may have any name that [QuoteName] accepts, public included. It need not satisfy
// [ValidateName], because it belongs to the administrator and not to a tenant. SearchPath returns a
// [SearchPathError] for a name that PostgreSQL interprets or reserves ("$user", pg_*,
// information_schema), for a name given twice, and if schema is a tenant's and one of the extra
// schemas. It does not check whether the schemas exist; admin.Check does that.
func SearchPath(schema string, extra []string) (string, error) {
	path, err := QuoteName(schema)
	if err != nil {
		return "", err
	}
	for i, name := range extra {
		quoted, err := quoteExtra(name)
		switch {
		case err != nil:
			return "", err
		case slices.Contains(extra[:i], name):
			return "", &SearchPathError{Name: name, Rule: "is given twice"}
		case name == schema && name == Public:
			continue
		case name == schema:
			return "", &SearchPathError{Name: name, Rule: "is on the path of every tenant and cannot be a tenant's schema"}
		}
		path += ", " + quoted
	}
	return path + pgTemp, nil
}

// SearchPath returns the search path of the DB's scopes of schema: [SearchPath] with
// [Config].ExtraSearchPath. It is for work with the owner's login that calls functions of the
// schema, such as those of its constraints.
func (db *DB) SearchPath(schema string) (string, error) {
	return SearchPath(schema, db.cfg.ExtraSearchPath)
}

// quoteExtra quotes the name of an extra schema, or refuses it.
func quoteExtra(name string) (string, error) {
	if name == "$user" || name == "information_schema" || strings.HasPrefix(name, "pg_") {
		return "", &SearchPathError{Name: name, Rule: "is reserved"}
	}
	quoted, err := QuoteName(name)
	if err != nil {
		return "", &SearchPathError{Name: name, Rule: "is no name", Err: err}
	}
	return quoted, nil
}

// SearchPathError says why a schema cannot be on the search path. [SearchPath] returns it, and so
// does everything that takes an ExtraSearchPath.
type SearchPathError struct {
	Name string // of the extra schema, as given
	Rule string // the broken rule, as the end of a sentence: "is given twice"
	Err  error  // a [NameError], or nil
}

// Error returns the name and the rule.
func (e *SearchPathError) Error() string {
	if e.Err != nil {
		return "extra search path: " + e.Err.Error()
	}
	return fmt.Sprintf("extra search path: schema %q %s", e.Name, e.Rule)
}

// Unwrap lets errors.As find the [NameError].
func (e *SearchPathError) Unwrap() error { return e.Err }
