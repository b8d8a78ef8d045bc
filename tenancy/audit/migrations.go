package audit

import (
	"embed"
	"io/fs"

	"github.com/oryne/pgtenant/internal/registrydb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// MigrationBase is the base of the source of [Migrations] by convention, so that it can share the
// shared set with tenancy.Migrations and those of the program:
//
//	migrate.Source{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase}
//
// As with every base, it must not change once a database was migrated.
const MigrationBase = 1_000_000

// Migrations returns the shared migrations that make the tables of the log: *.sql files in goose's
// format, for the schema public, or for the one that migrate.Config names. They belong to whom the
// migrations run as, the owner role. [PartitionMaintainer.Maintain] makes the months' partitions.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return registrydb.Files{FS: sub, Made: logTables}
}
