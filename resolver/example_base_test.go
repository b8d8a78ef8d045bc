package resolver_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
)

// Every slug has a host under each base domain. If another tenant has registered that host, it is
// ambiguous and neither tenant gets it.
func ExampleConfig_baseDomains() {
	p, done := newPlatform()
	defer done()
	ctx := context.Background()
	if _, err := p.Tenants.Create(ctx, tenancy.CreateParams{Slug: "schoolb", Domain: "school-b.example"}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := p.Tenants.Create(ctx, tenancy.CreateParams{Slug: "mallory", Domain: "schoolb.example.net"}); err != nil {
		fmt.Println(err)
		return
	}
	hosts, err := resolver.NewDirectory(ctx, p.DB, resolver.Config{
		PublicHosts: []string{"example.org"},
		BaseDomains: []string{"example.org", "example.net"},
		WWW:         resolver.WWWSame,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hosts.Close()
	show(hosts, "schoolb.example.org", "school-b.example", "www.school-b.example", "www.example.org",
		"schoolb.example.net")

	// Output:
	// schoolb.example.org - schoolb
	// school-b.example - schoolb
	// www.school-b.example - schoolb
	// www.example.org - public
	// schoolb.example.net - host stands for two tenants: "schoolb.example.net"
}
