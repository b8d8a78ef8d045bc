package drift_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// driftSchools creates the database of the examples: it has two schools, both at the newest
// version. It panics if it fails.
func driftSchools(ctx context.Context) (db *pgtest.DB, runner *migrate.Runner, done func()) {
	db, closeDB, err := pgtest.Open(ctx)
	noError(err)
	runner, err = migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{
		"00001_students.sql": {
			Data: []byte(
				"-- +goose Up\ncreate table students (id int primary key, name text not null, birthday date, fee numeric(12,2));\n",
			),
		},
	}}}})
	noError(err)
	for _, schema := range []string{"school_a", "school_b"} {
		_, err = db.Pool.Exec(ctx, "create schema "+schema)
		noError(err)
		noError(runner.Migrate(ctx, schema))
	}
	return db, runner, func() { noError(closeDB()) }
}

func noError(err error) {
	if err != nil {
		panic(err)
	}
}

// The version table of a school says that all migrations are applied, but its schema was changed by
// hand.
func ExampleCheck() {
	ctx := context.Background()
	db, runner, done := driftSchools(ctx)
	defer done()
	_, err := db.Pool.Exec(ctx, `alter table school_b.students drop birthday, alter fee type numeric(10,2);
		create index by_name on school_b.students (name)`)
	noError(err)

	status, err := runner.Status(ctx, "school_b")
	noError(err)
	fmt.Println("pending:", len(status.Versions(migrate.Pending)))

	report, err := drift.Check(ctx, runner, []string{"school_a", "school_b", "school_c"}, drift.Options{})
	noError(err)
	fmt.Print(report)
	fmt.Println("drift:", errors.Is(report.Err(), drift.ErrDrift))

	// Output:
	// pending: 0
	// school_b: 3 different
	//   table students: column birthday is missing
	//   table students: column fee: type is numeric(10,2), expected numeric(12,2)
	//   table students: index by_name is unexpected
	// school_c: missing: fingerprint schema "school_c": schema does not exist
	// 1 of 3 schemas are equal
	// drift: true
}
