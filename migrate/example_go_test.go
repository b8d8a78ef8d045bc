package migrate_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
)

// A Go migration runs among the files, in their transaction and in their schema.
func ExampleGoMigration() {
	pool, done := newSchools()
	defer done()
	ctx := context.Background()
	upper := migrate.GoMigration{Version: 3, Name: "upper", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into students (name) values ($1)", strings.ToUpper("amara"))
		return err
	}}
	runner, err := migrate.New(
		pool,
		migrate.Config{Tenant: []migrate.Source{{Name: "students", FS: students, Go: []migrate.GoMigration{upper}}}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := runner.Up(ctx, "school_a")
	fmt.Println(res.Applied, err)
	var name string
	err = pool.QueryRow(ctx, "select name from school_a.students").Scan(&name)
	fmt.Println(name, err)
	_, err = runner.Down(ctx, "school_a")
	fmt.Println(err)

	// Output:
	// [1 2 3] <nil>
	// AMARA <nil>
	// migrate schema "school_a": migration has no Down: students/00003_upper.go
}
