package migrate_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
)

// schools creates a database with the schemas school_a to school_d, which have the first of two
// migrations.
func schools(ctx context.Context) (db *pgtest.DB, files map[string]string, done func()) {
	db, closeDB, err := pgtest.Open(ctx)
	if err != nil {
		panic(err)
	}
	files = map[string]string{"1_pupils.sql": "create table pupils (name text);"}
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{source("erp", files)}})
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"school_a", "school_b", "school_c", "school_d"} {
		if _, err := db.Pool.Exec(ctx, "create schema "+name); err != nil {
			panic(err)
		}
		if err := runner.Migrate(ctx, name); err != nil {
			panic(err)
		}
	}
	files["2_age.sql"] = "alter table pupils add column age int;"
	return db, files, func() {
		if err := closeDB(); err != nil {
			panic(err)
		}
	}
}

// One tenant has lost a table, and one name on the list has no schema. The others are migrated.
func ExampleRunner_UpAll() {
	ctx := context.Background()
	db, files, done := schools(ctx)
	defer done()
	_, err := db.Pool.Exec(ctx, "drop table school_b.pupils")
	if err != nil {
		fmt.Println(err)
		return
	}
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{source("erp", files)}})
	if err != nil {
		fmt.Println(err)
		return
	}

	list := migrate.Schemas("school_a", "school_b", "school_c", "school_x") // or tenants.Schemas, of package tenancy
	report, err := runner.UpAll(ctx, list, migrate.UpAllOptions{})
	fmt.Println(err != nil, report.ExitCode())

	for i := range report.Results { // fixed times for the output
		report.Results[i].Duration = min(report.Results[i].Duration, 1) * time.Millisecond
	}
	report.Duration = 5 * time.Millisecond
	if err := report.WriteTable(os.Stdout); err != nil {
		fmt.Println(err)
	}

	// Output:
	// true 1
	// SCHEMA    OUTCOME       VERSION  TIME  WHAT
	// school_b  failed        1        1ms   erp/2_age.sql:2: relation "pupils" does not exist (42P01)
	// school_x  missing       -        -     schema does not exist
	// school_a  migrated      1 -> 2   1ms   applied 2
	// school_c  migrated      1 -> 2   1ms   applied 2
	// school_d  unregistered  -        -     not on the list
	//
	// 4 schemas in 5ms: 1 failed, 1 missing, 2 migrated, 1 unregistered
}
