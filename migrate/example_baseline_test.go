package migrate_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

// A schema had its tables before it had versions.
func ExampleRunner_Baseline() {
	pool, done := newSchools()
	defer done()
	ctx := context.Background()
	if _, err := pool.Exec(ctx, "create table school_a.students (name text)"); err != nil {
		fmt.Println(err)
	}
	runner, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{{Name: "students", FS: students}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := runner.Baseline(ctx, "school_a", 1)
	fmt.Println("written down", res.Applied, err)
	res, err = runner.Up(ctx, "school_a")
	fmt.Println("applied", res.Applied, err)
	_, err = runner.Baseline(ctx, "school_a", 1)
	fmt.Println("again:", errors.Is(err, migrate.ErrVersioned))

	// Output:
	// written down [1] <nil>
	// applied [2] <nil>
	// again: true
}
