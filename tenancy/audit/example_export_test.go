package audit_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// Export writes the log of one tenant, for the tenant. The program logs the export first.
func ExampleReader_Export() {
	p, done := newPlatform(audit.Config{})
	defer done()
	ctx := context.Background()
	orPanic(p.Log.Write(ctx, audit.Entry{Tenant: 1, Action: audit.Login, Actor: "=1+1"}))
	orPanic(p.Log.Write(ctx, audit.Entry{Tenant: 1, Action: audit.Export, Actor: "ada"}))

	var out strings.Builder
	n, err := p.reader().
		Export(ctx, &out, audit.Filter{Tenants: []int64{1}, Actions: []audit.Action{audit.Login, audit.Export}}, audit.CSV)
	fmt.Println(n, "records,", err)
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	orPanic(err)
	for _, row := range rows[1:] { // after the header
		fmt.Println(row[4], row[5])
	}

	// Output:
	// 2 records, <nil>
	// login '=1+1
	// export ada
}
