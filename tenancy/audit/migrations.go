package audit

import (
	"embed"
	"io/fs"

	"github.com/oryne/pgtenant/internal/registrydb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// MigrationBase is the recommended base of the source of [Migrations]. With it, the source can be
// combined with tenancy.Migrations and those of the program:
//
//	migrate.Source{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase}
//
// Like every base, it must not change after a database was migrated.
const MigrationBase = 1_000_000

// Migrations returns the shared migrations that create the tables of the log: *.sql files in
// goose's format, for the schema public or the one that migrate.Config names. The tables belong to
// the role that runs the migrations, the owner role. [PartitionMaintainer.Maintain] creates the
// monthly partitions.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return registrydb.Files{FS: sub, Made: logTables}
}
