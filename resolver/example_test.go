package resolver_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
)

// A directory answers from memory. It sees a commit a moment later, in every process; Refresh waits
// for it.
func ExampleNewDirectory() {
	p, done := newPlatform()
	defer done()
	ctx := context.Background()
	hosts, err := resolver.NewDirectory(ctx, p.DB, resolver.Config{PublicHosts: []string{"example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hosts.Close()

	t, err := p.Tenants.Create(ctx, tenancy.CreateParams{Slug: "schoolb", Domain: "schoolb.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := hosts.Refresh(ctx, t.ID); err != nil {
		fmt.Println(err)
		return
	}
	show(hosts, "example.com", "SchoolA.example.com:8000", "schoolb.example.com", "schoolc.example.com", "*.example")

	status := hosts.Status() // for metrics and health checks
	fmt.Println(status.Tenants, "tenants,", status.Hosts, "hosts, connected:", status.Connected)

	// Output:
	// example.com - public
	// SchoolA.example.com:8000 - schoola
	// schoolb.example.com - schoolb
	// schoolc.example.com - unknown host
	// *.example - host "*.example" has a label that is not 1 to 63 letters, digits and inner hyphens
	// 2 tenants, 3 hosts, connected: true
}
