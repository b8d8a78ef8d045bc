package backup

import (
	"embed"
	"io/fs"

	"github.com/oryne/pgtenant/internal/registrydb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Base is the base of the source of [Migrations] by convention, so that it can share the shared set with tenancy.Migrations and
// those of the program:
//
//	migrate.Source{Name: "backup", FS: backup.Migrations(), Base: backup.Base}
//
// As with every base, it must not change once a database was migrated.
const Base = 2_000_000

// Migrations returns the shared migrations that make the table of a [Schedule]'s runs: *.sql files in goose's format, for the
// schema public, or the one that migrate.Config names, of the registry's database. It belongs to whom the migrations run as, the owner role; nobody else has rights on it.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return registrydb.Files{FS: sub, Made: []string{"backup_runs", "backup_erasures"}}
}
