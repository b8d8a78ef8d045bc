package registrydb

import (
	"strings"

	"github.com/oryne/pgtenant/schemactx"
)

const mark = "{registry}"

// SchemaComment is the comment of the registry's schema if that is not public. admin.Provision and
// admin.Deprovision refuse a schema with this comment, and admin.Check examines who may use it.
const SchemaComment = "pgtenant registry"

// Schema is the schema of a registry. The zero value is public.
type Schema struct{ name, quoted string }

// Parse returns the schema with the name; an empty name is public. It returns a
// [schemactx.NameError] for a name that a registry's schema cannot have.
func Parse(name string) (Schema, error) {
	if name == "" || name == schemactx.Public {
		return Schema{}, nil
	}
	if err := schemactx.ValidateName(name); err != nil {
		return Schema{}, err
	}
	quoted, err := schemactx.QuoteName(name)
	return Schema{name, quoted}, err
}

// Name returns the name.
func (s Schema) Name() string {
	if s.name == "" {
		return schemactx.Public
	}
	return s.name
}

// Quoted returns the name for SQL. It returns public without quotes, so that the statements of a
// registry there have the same text as without this package.
func (s Schema) Quoted() string {
	if s.quoted == "" {
		return schemactx.Public
	}
	return s.quoted
}

// SQL returns the statement with the schema in place of the mark.
func (s Schema) SQL(sql string) string { return strings.ReplaceAll(sql, mark, s.Quoted()) }
