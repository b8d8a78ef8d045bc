package registrydb

import (
	"strings"

	"github.com/oryne/pgtenant/schemactx"
)

const mark = "{registry}"

// Schema is the schema of a registry. The zero value is public.
type Schema struct{ name, quoted string }

// Parse returns the schema of that name; an empty name is public. A name that cannot be a registry's
// schema is a [schemactx.NameError].
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

// Quoted returns the name for SQL. It is public without quotes: the text of a statement does not
// change for a registry there.
func (s Schema) Quoted() string {
	if s.quoted == "" {
		return schemactx.Public
	}
	return s.quoted
}

// SQL returns a statement with the schema where the mark stands.
func (s Schema) SQL(sql string) string { return strings.ReplaceAll(sql, mark, s.Quoted()) }
