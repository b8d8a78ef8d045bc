package schemactx

import (
	"fmt"
	"slices"
	"strings"
)

// pgTemp is last in every path: a temporary table never shadows a tenant's.
const pgTemp = ", pg_temp"

// SearchPath returns the search path of the scopes of schema, as SQL text: the schema, the extra
// schemas in their order, and pg_temp. Package migrate, the backups and the commands use the same
// function, so that a name means the same everywhere. For [Public] an extra "public" is left out,
// as it is first already.
//
// An extra schema may have any name that [QuoteName] takes, public included: it need not follow
// [ValidateName], because it is the administrator's and not a tenant's. A name that PostgreSQL
// reads as something else or keeps for itself ("$user", pg_*, information_schema), a name given
// twice, and a tenant's schema that is one of the extras are a [SearchPathError]. Whether the
// schemas exist is not looked at: admin.Check does that.
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

// SearchPath returns the search path that the DB's scopes of schema have: [SearchPath] with
// [Config].ExtraSearchPath. It is for work of the owner's that calls functions of the schema, such
// as those of its constraints.
func (db *DB) SearchPath(schema string) (string, error) {
	return SearchPath(schema, db.cfg.ExtraSearchPath)
}

// quoteExtra quotes the name of an extra schema.
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

// SearchPathError says why a schema cannot be on the search path. [SearchPath] returns it, and
// everything that takes an ExtraSearchPath.
type SearchPathError struct {
	Name string // of the extra schema, as given
	Rule string // the rule it breaks, as the end of a sentence: "is given twice"
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
