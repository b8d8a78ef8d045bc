package schools

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Base is the base of the source of [Migrations], beside those of package erp.
const Base = 1_000_000

// Extensions are what the migrations need of PostgreSQL. Their schema has to be on the search path
// of every school: the operators of a type are found there and nowhere else.
var Extensions = []string{"citext", "pg_trgm"}

// Migrations returns the migrations of schools that go beyond those of package erp, which other
// programs use without extensions.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return sub
}
