// Package flags is analyzed with flags.
package flags

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
)

func run(ctx context.Context, db *schemactx.DB) {
	_, _ = db.Exec(ctx, "select 1 from school_a.students") // want `names the schema school_a of a tenant`
	_, _ = db.Exec(ctx, "select 1 from tenant_2.students, myschool_a.students, school_a1.students")
}
