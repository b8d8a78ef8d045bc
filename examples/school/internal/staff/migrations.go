package staff

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Base is the base of the source of [Migrations], beside those of the library.
const Base = 10_000_000

// Migrations returns the shared migrations that make the tables of staff.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return sub
}
