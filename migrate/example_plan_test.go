package migrate_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/migrate"
)

// A plan has every statement that the runner would send. Here are those of the migrations. WriteTo
// writes all of them as a script.
func ExampleRunner_PlanUp() {
	pool, done := newSchools()
	defer done()
	ctx := context.Background()
	runner, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{{Name: "students", FS: students}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := runner.PlanUp(ctx, "school_a", migrate.Newest)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, call := range plan.Migrations() {
		fmt.Println(call.Version, call.SQL)
	}
	var script strings.Builder
	if _, err := plan.WriteTo(&script); err != nil {
		fmt.Println(err)
	}
	lines := strings.Split(script.String(), "\n")
	fmt.Println(lines[1], "...", lines[len(lines)-5])
	status, err := runner.Status(ctx, "school_a")
	fmt.Println("still pending:", status.Versions(migrate.Pending), err)

	// Output:
	// 1 create table students (name text);
	// 2 alter table students add phone text;
	// begin isolation level read committed ... commit
	// still pending: [1 2] <nil>
}
