package staff

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Base is the base of the versions of [Migrations]; the migrations of the library come before it.
const Base = 10_000_000

// Migrations returns the shared migrations that create the tables of the package.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return sub
}
