package registrydb

import (
	"io/fs"
	"strings"
)

// Files are the migrations of tables in the registry's schema. They qualify names with public only
// where they must, in the functions.
type Files struct {
	fs.FS
	Made []string // tables that the first file creates
}

// Tables returns the tables that the first file creates.
func (f Files) Tables() []string { return f.Made }

// InSchema returns the text of a migration for a registry in the schema.
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
