package admin

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTaken is returned by [Setup], [Provision], [ProvisionLogin], [RevokeAccess], [RestoreAccess],
// [Deprovision] and [Rename] if the schema or role exists and belongs to another role or database.
var ErrTaken = errors.New("name is taken")

// DependentsError is returned by [Deprovision] and [CheckDependents] if objects outside of the
// schema depend on objects in it. Dropping the schema would drop those objects, or columns and
// constraints of them.
type DependentsError struct {
	Schema  string
	Objects []string // sorted, as PostgreSQL names them: "view reports.totals"
}

// Error returns the schema and the names of at most ten objects.
func (e *DependentsError) Error() string {
	named, more := e.Objects, ""
	if len(named) > 10 {
		named, more = named[:10], fmt.Sprintf(" and %d more", len(named)-10)
	}
	return fmt.Sprintf("outside of schema %q depend on it: %s%s", e.Schema, strings.Join(named, ", "), more)
}
