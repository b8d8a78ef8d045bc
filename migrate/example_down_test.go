package migrate_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

func ExampleRunner_DownTo() {
	pool, done := newSchools()
	defer done()
	ctx := context.Background()
	runner, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{{Name: "students", FS: students}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := runner.Up(ctx, "school_a")
	fmt.Println("up", res.Applied, err)
	res, err = runner.Redo(ctx, "school_a")
	fmt.Println("redo", res.Undone, res.Applied, err)
	res, err = runner.DownTo(ctx, "school_a", 0)
	fmt.Println("down", res.Undone, err)

	// Output:
	// up [1 2] <nil>
	// redo [2] [2] <nil>
	// down [2 1] <nil>
}
