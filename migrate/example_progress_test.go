package migrate_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

// Events come one at a time. They have what a progress bar needs, with the rate and the remaining
// time.
func ExampleProgress() {
	ctx := context.Background()
	db, files, done := schools(ctx)
	defer done()
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{source("erp", files)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	list := migrate.Schemas("school_a", "school_b", "school_c", "school_d")
	_, err = runner.UpAll(ctx, list, migrate.UpAllOptions{Workers: 1, Events: func(e migrate.Event) {
		if e.Kind == migrate.EventFinished {
			p := e.Progress
			fmt.Printf("%d of %d: %s %s\n", p.Done, p.Total, e.Schema, e.Result.Outcome)
			if p.Rate() <= 0 || p.Done < p.Total && p.ETA() <= 0 {
				fmt.Println("no rate")
			}
		}
	}})
	fmt.Println(err)

	// Output:
	// 1 of 4: school_a migrated
	// 2 of 4: school_b migrated
	// 3 of 4: school_c migrated
	// 4 of 4: school_d migrated
	// <nil>
}
