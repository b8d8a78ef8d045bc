package migrate_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

// One school is migrated first. A check of the site follows. The other schools are migrated only if
// the check succeeds.
func ExampleCanary() {
	ctx := context.Background()
	db, files, done := schools(ctx)
	defer done()
	runner, err := migrate.New(db.Pool, migrate.Config{Tenant: []migrate.Source{source("erp", files)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	healthy := errors.New("school_c answers with 500")
	canary := migrate.Canary{Schemas: []string{"school_c"}, Check: func(_ context.Context, canaries migrate.Report) error {
		fmt.Println("canaries:", canaries.Summary())
		return healthy
	}}
	list := migrate.Schemas("school_a", "school_b", "school_c", "school_d")
	report, err := runner.UpAll(ctx, list, migrate.UpAllOptions{Canary: canary})
	fmt.Println(report.Summary())
	fmt.Println(err)

	healthy = nil
	report, err = runner.UpAll(ctx, list, migrate.UpAllOptions{Canary: canary})
	fmt.Println(report.Summary(), err)

	// Output:
	// canaries: 1 migrated
	// 3 not started, 1 migrated
	// not every schema is up to date: 3 not started, 1 migrated: canary: school_c answers with 500
	// canaries: no schemas
	// 3 migrated, 1 current <nil>
}
