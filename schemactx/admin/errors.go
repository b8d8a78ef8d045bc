package admin

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTaken is returned by [Setup], [Provision], [ProvisionLogin], [Deprovision] and [Rename] when a
// schema or role of the name exists and belongs to somebody else.
var ErrTaken = errors.New("name is taken")

// DependentsError is returned by [Deprovision] when objects outside of the schema depend on some in
// it, so that they, or columns and constraints of theirs, would go with it.
type DependentsError struct {
	Schema  string
	Objects []string // as PostgreSQL names them, sorted: "view reports.totals"
}

// Error returns the schema and the objects, of which it names ten at most.
func (e *DependentsError) Error() string {
	named, more := e.Objects, ""
	if len(named) > 10 {
		named, more = named[:10], fmt.Sprintf(" and %d more", len(named)-10)
	}
	return fmt.Sprintf("outside of schema %q depend on it: %s%s", e.Schema, strings.Join(named, ", "), more)
}
