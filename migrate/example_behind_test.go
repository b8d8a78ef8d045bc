package migrate_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

// Fleet says which schemas are behind, without changing them.
func ExampleRunner_Fleet() {
	ctx := context.Background()
	db, files, done := schools(ctx)
	defer done()
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{source("erp", files)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := runner.Migrate(ctx, "school_a"); err != nil {
		fmt.Println(err)
		return
	}
	for state, err := range runner.Fleet(ctx, migrate.Schemas("school_a", "school_b", "school_x")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(state.Schema, state.Outcome, state.Version, state.Pending)
	}

	// Output:
	// school_a current 2 []
	// school_b behind 1 [2]
	// school_x missing 0 []
	// school_c unregistered 0 []
	// school_d unregistered 0 []
}
