package tenanttoken_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Tenants share a cache, but their keys differ.
func ExampleCacheKey() {
	for _, t := range []*tenancy.Tenant{
		{ID: 1, Slug: "schoola", Schema: "tenant_1", Status: tenancy.Active},
		{ID: 2, Slug: "schoolb", Schema: "tenant_2", Status: tenancy.Active},
	} {
		key, err := tenanttoken.CacheKey(tenancy.NewContext(context.Background(), t), "student", "A:42")
		fmt.Println(key, err)
	}
	_, err := tenanttoken.CacheKey(context.Background(), "student", "A:42")
	fmt.Println(err)

	// Output:
	// tenant:1:student:A%3A42 <nil>
	// tenant:2:student:A%3A42 <nil>
	// cache key: no tenant
}
