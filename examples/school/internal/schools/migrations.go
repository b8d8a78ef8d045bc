package schools

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Base is the base of the versions of [Migrations]; the migrations of package erp come before it.
const Base = 1_000_000

// Extensions are the extensions that the migrations need. Their schema must be on the search_path
// of every school, because PostgreSQL finds the operators of a type only there.
var Extensions = []string{"citext", "pg_trgm"}

// Migrations returns the migrations of a school that follow those of package erp. They are separate
// because other programs use erp without extensions.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return sub
}
