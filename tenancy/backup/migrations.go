package backup

import (
	"embed"
	"io/fs"

	"github.com/oryne/pgtenant/internal/registrydb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Base is the conventional base of the source of [Migrations]. With it, one set of shared
// migrations can contain tenancy.Migrations, these and those of the program:
//
//	migrate.Source{Name: "backup", FS: backup.Migrations(), Base: backup.Base}
//
// A base must not change after a database was migrated with it.
const Base = 2_000_000

// Migrations returns the shared migrations that create the tables of [Schedule] and
// [Service.Erase]: *.sql files in goose's format. They are for the registry's database, in the
// schema public or the one that migrate.Config names. The tables belong to the role that runs the
// migrations, the owner role. No other role has privileges on them.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return registrydb.Files{FS: sub, Made: []string{"backup_runs", "backup_erasures"}}
}
