package migrate_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

// Event triggers watch what is done to version tables and schemas. One schema is moved away by hand and an older copy put in its
// place: nothing but its own entry stops being believed.
func ExampleConfig_watchedIndex() {
	ctx := context.Background()
	db, files, done := schools(ctx)
	defer done()
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{source("school", files)}, Index: migrate.WatchedIndex})
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

	_, err = db.Pool.Exec(ctx, `alter schema school_b rename to kept; create schema school_b;
		create table school_b.goose_db_version (like kept.goose_db_version including all);
		insert into school_b.goose_db_version select * from kept.goose_db_version where version_id < 2`)
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
	// kept stray [] <nil>
}
