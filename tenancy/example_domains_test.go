package tenancy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// A customer claims a domain and publishes the token of the claim. The domain is verified when the
// verifier finds the token. The default verifier looks in the DNS; this one looks in a map.
func ExampleManager_VerifyDomain() {
	published := map[string]string{}
	verify := func(_ context.Context, d tenancy.Domain) error {
		if published[d.Host] != d.Token {
			return errors.New("no such token")
		}
		return nil
	}
	tenants, done := openRegistry(func(cfg *tenancy.Config) {
		cfg.Domains = tenancy.DomainVerifierFunc(verify)
	}, "north", "south")
	defer done()
	ctx := context.Background()

	claim, err := tenants.ClaimDomain(ctx, "north", "School.example.org")
	fmt.Println(claim.Host, claim.Verified(), err)
	_, err = tenants.ClaimDomain(ctx, "south", "school.example.org") // another tenant may claim it, too
	fmt.Println(err)

	_, err = tenants.VerifyDomain(ctx, "north", "school.example.org")
	fmt.Println(errors.Is(err, tenancy.ErrNotVerified), err)
	published[claim.Host] = claim.Token
	d, err := tenants.VerifyDomain(ctx, "north", "school.example.org")
	fmt.Println(d.Verified(), err)

	_, err = tenants.VerifyDomain(ctx, "south", "school.example.org")
	fmt.Println(errors.Is(err, tenancy.ErrNotVerified))

	// Output:
	// school.example.org false <nil>
	// <nil>
	// true verify domain "school.example.org" of tenant "north": domain is not verified: no such token
	// true <nil>
	// true
}

// AddDomain and MoveDomain need no proof: the platform assigns its own subdomains. A tenant with
// domains has exactly one primary domain at all times.
func ExampleManager_MoveDomain() {
	tenants, done := openRegistry(defaults, "east", "west")
	defer done()
	ctx := context.Background()

	if _, err := tenants.AddDomain(ctx, "east", "sunrise.example.com"); err != nil {
		fmt.Println(err)
		return
	}
	move := tenancy.MoveDomainParams{Host: "east.example.com", From: "east", To: "west"}
	_, err := tenants.MoveDomain(ctx, move)
	fmt.Println(err)
	move.NewPrimary = "sunrise.example.com"
	_, err = tenants.MoveDomain(ctx, move)
	fmt.Println(err)

	for _, slug := range []string{"east", "west"} {
		details, err := tenants.Show(ctx, slug)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, d := range details.Domains {
			fmt.Println(slug, d.Host, d.Primary)
		}
	}

	// Output:
	// move domain "east.example.com" from tenant "east" to "west": domain is the tenant's primary one
	// <nil>
	// east sunrise.example.com true
	// west west.example.com true
	// west east.example.com false
}
