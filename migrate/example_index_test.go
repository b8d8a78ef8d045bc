package migrate_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

// One schema is changed by hand behind the index's back. It is not believed for that one, and the answer is right.
func ExampleConfig_index() {
	ctx := context.Background()
	db, files, done := schools(ctx)
	defer done()
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{source("school", files)}, Index: migrate.CentralIndex})
	if err != nil {
		fmt.Println(err)
		return
	}
	list := migrate.Schemas("school_a", "school_b", "school_c", "school_d")
	for range 2 { // the second run enters what the first has changed
		if _, err := runner.UpAll(ctx, list, migrate.UpAllOptions{}); err != nil {
			fmt.Println(err)
			return
		}
	}

	_, err = db.Pool.Exec(ctx, `alter table school_b.goose_db_version disable trigger all;
		delete from school_b.goose_db_version where version_id = 2; alter table school_b.goose_db_version enable trigger all`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for state, err := range runner.Fleet(ctx, list) {
		fmt.Println(state.Schema, state.Outcome, state.Pending, err)
	}

	// Output:
	// school_a current [] <nil>
	// school_b behind [2] <nil>
	// school_c current [] <nil>
	// school_d current [] <nil>
}
