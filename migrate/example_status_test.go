package migrate_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/oryne/pgtenant/migrate"
)

// Status reports a file that was edited after it was applied.
func ExampleRunner_Status() {
	pool, done := newSchools()
	defer done()
	ctx := context.Background()
	runner, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: students}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := runner.UpTo(ctx, "school_a", 1); err != nil {
		fmt.Println(err)
	}
	edited := fstest.MapFS{
		"00001_students.sql": sqlFile("-- +goose Up\ncreate table students (name text not null);\n"),
		"00002_phone.sql":    students["00002_phone.sql"],
	}
	runner, err = migrate.New(
		pool,
		migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: edited}}, Changed: migrate.Refuse},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	status, err := runner.Status(ctx, "school_a")
	for _, m := range status.Migrations {
		fmt.Println(m.Version, m.Name, m.State)
	}
	fmt.Println(err)
	fmt.Println(status.Err)

	// Output:
	// 1 students changed
	// 2 phone pending
	// <nil>
	// migrate schema "school_a": migration was edited after it was applied: app/00001_students.sql
}
