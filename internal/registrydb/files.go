package registrydb

import (
	"io/fs"
	"strings"
)

// Files are the migrations of tables in the registry's schema. They name the schema public where
// they cannot leave it out, in the functions.
type Files struct {
	fs.FS
	Made []string // tables that the first file makes
}

// Tables returns those that the first file makes.
func (f Files) Tables() []string { return f.Made }

// InSchema returns the text of a migration for a registry in that schema.
func (Files) InSchema(text, schema string) (string, error) {
	s, err := Parse(schema)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"public.", s.Quoted()+".",
		"search_path = pg_catalog, public, pg_temp", "search_path = pg_catalog, "+s.Quoted()+", pg_temp",
	).Replace(text), nil
}
