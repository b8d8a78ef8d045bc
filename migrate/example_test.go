package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// newSchools returns the owner's pool of a database with the schemas school_a and school_b.
func newSchools() (pool *pgxpool.Pool, done func()) {
	db, closeDB, err := pgtest.Open(context.Background())
	if err != nil {
		panic(err)
	}
	if _, err := db.Pool.Exec(context.Background(), "create schema school_a; create schema school_b"); err != nil {
		panic(err)
	}
	return db.Pool, func() {
		if err := closeDB(); err != nil {
			panic(err)
		}
	}
}

// sqlFile is a file of an fs.FS. Programs embed their files.
func sqlFile(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

var students = fstest.MapFS{
	"00001_students.sql": sqlFile(
		"-- +goose Up\ncreate table students (name text);\n-- +goose Down\ndrop table students;\n",
	),
	"00002_phone.sql": sqlFile(
		"-- +goose Up\nalter table students add phone text;\n-- +goose Down\nalter table students drop phone;\n",
	),
}

// Two modules that both begin at version 1 share a set, because one of them has a base.
func ExampleRunner_Up() {
	pool, done := newSchools()
	defer done()
	wiki := fstest.MapFS{"00001_pages.sql": sqlFile("-- +goose Up\ncreate table pages (body text);\n")}
	runner, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{
		{Name: "students", FS: students},
		{Name: "wiki", FS: wiki, Base: 1_000_000},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		res, err := runner.Up(context.Background(), "school_a")
		fmt.Println(res.From, "to", res.To, res.Applied, err)
	}
	_, err = runner.Up(context.Background(), "school_c")
	fmt.Println(errors.Is(err, migrate.ErrSchemaMissing))

	// Output:
	// 0 to 1000001 [1 2 1000001] <nil>
	// 1000001 to 1000001 [] <nil>
	// true
}

// openOwner opens a pool of the owner role.
func openOwner(db *pgtest.DB, roles schemactx.RoleNames) (pool *pgxpool.Pool, done func()) {
	pool, err := pgxpool.New(context.Background(), db.URLAs(roles.Owner(), "o"))
	if err != nil {
		panic(err)
	}
	return pool, pool.Close
}
