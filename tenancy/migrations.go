package tenancy

import (
	"embed"
	"io/fs"

	"github.com/oryne/pgtenant/internal/registrydb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the shared migrations that create the registry: *.sql files in goose's format,
// for the schema public, or for the schema that migrate.Config names.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // cannot happen: the directory is embedded
	}
	return registrydb.Files{FS: sub, Made: registryTables}
}
