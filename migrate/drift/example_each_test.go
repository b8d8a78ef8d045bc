package drift_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/migrate/drift"
)

// Tenants may have tables of their own, and another system may manage the grants. The results come
// one by one. The reference is built once and used for any number of runs.
func ExampleEach() {
	ctx := context.Background()
	db, runner, done := driftSchools(ctx)
	defer done()
	_, err := db.Pool.Exec(ctx, `create table school_a.custom_bus (stop text);
		grant select on school_a.students to public;
		alter table school_b.students disable trigger all, drop constraint students_pkey`)
	noError(err)

	reference, err := drift.Reference(ctx, runner, drift.ReadOptions{})
	noError(err)
	opts := drift.Options{
		Reference:    &reference,
		IgnoreGrants: true,
		Skip:         func(o drift.Object) bool { return strings.HasPrefix(o.Table+o.Name, "custom_") },
	}
	for result, err := range drift.Each(ctx, runner, []string{"school_a", "school_b"}, opts) {
		noError(err)
		fmt.Println(result.Schema, result.State)
		for _, d := range result.Differences {
			fmt.Println(d.Change, d.Kind, d.Name)
		}
	}

	// Output:
	// school_a equal
	// school_b different
	// missing constraint students_pkey
}
