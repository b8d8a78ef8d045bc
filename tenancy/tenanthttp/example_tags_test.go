package tenanthttp_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Tags yields names and values for error trackers, spans and metrics.
func ExampleTags() {
	ctx := tenancy.NewContext(context.Background(), &tenancy.Tenant{ID: 7, Slug: "schoola", Schema: "tenant_7"})
	for name, value := range tenanthttp.Tags(ctx) {
		fmt.Println(name, value)
	}

	// Output:
	// tenant schoola
	// tenant_id 7
	// schema tenant_7
}
