package tenancy_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// Tenants share a cache, and no key.
func ExampleKey() {
	for _, t := range []*tenancy.Tenant{
		{ID: 1, Slug: "schoola", Schema: "tenant_1", Status: tenancy.Active},
		{ID: 2, Slug: "schoolb", Schema: "tenant_2", Status: tenancy.Active},
	} {
		key, err := tenancy.Key(tenancy.NewContext(context.Background(), t), "student", "A:42")
		fmt.Println(key, err)
	}
	_, err := tenancy.Key(context.Background(), "student", "A:42")
	fmt.Println(err)

	// Output:
	// tenant:1:student:A%3A42 <nil>
	// tenant:2:student:A%3A42 <nil>
	// cache key: no tenant
}
