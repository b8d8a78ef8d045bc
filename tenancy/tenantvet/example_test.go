package tenantvet_test

import (
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/tenancy/tenantvet"
)

// A program's own checker can combine the analyzers with others:
// multichecker.Main(append(mine, tenantvet.Analyzers()...)...)
func ExampleAnalyzers() {
	for _, a := range tenantvet.Analyzers() {
		summary, _, _ := strings.Cut(a.Doc, "\n")
		fmt.Printf("%s: %s\n", a.Name, summary)
	}

	// Output:
	// tenantswitch: report explicit choices of a schema outside of the allowed packages
	// tenantpool: report SQL on a raw pool or connection where the function can reach a schemactx.DB
	// tenantsql: report SQL that changes its scope or names a tenant's schema
	// tenantctx: report context.Background() in scoped calls of functions that have a context
	// tenantallow: report allowances of tenantvet that give no reason or name no analyzer
}
