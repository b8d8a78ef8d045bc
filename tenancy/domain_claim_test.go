package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oryne/pgtenant/tenancy"
)

func TestAClaimLeadsNobodyUntilItIsVerified(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Active)
	published := map[string]bool{}
	tenants := f.manager(t, tenancy.Config{Domains: tenancy.DomainVerifierFunc(func(_ context.Context, d tenancy.Domain) error {
		if !published[d.Token] {
			return errNotPublished
		}
		return nil
	})})
	const host = "shop.example.com"
	first, err := tenants.ClaimDomain(t.Context(), "a", "Shop.example.com")
	check(t, err)
	second, err := tenants.ClaimDomain(t.Context(), "b", host) // a claim does not block another claim
	check(t, err)
	again, err := tenants.ClaimDomain(t.Context(), "a", host)
	check(t, err)
	if len(first.Token) < 26 || first.Token == again.Token || second.Token == first.Token || first.Verified() || first.Host != host {
		t.Errorf("claims %+v, %+v, %+v", first, second, again)
	}
	published[first.Token] = true // this token is no longer valid
	_, err = tenants.VerifyDomain(t.Context(), "a", host)
	expectIs(t, err, tenancy.ErrNotVerified)
	expectIs(t, err, errNotPublished)
	_, err = tenants.SetPrimaryDomain(t.Context(), "a", host)
	expectIs(t, err, tenancy.ErrNotVerified)
	_, err = f.registry.ByHost(t.Context(), host)
	expectIs(t, err, tenancy.ErrNotFound)

	published[second.Token] = true
	for range 2 {
		d, err := tenants.VerifyDomain(t.Context(), "b", host)
		check(t, err)
		if !d.Verified() || d.Token != "" || d.Primary {
			t.Errorf("verified %+v", d)
		}
	}
	published[again.Token] = true // too late: another tenant has the domain
	_, err = tenants.VerifyDomain(t.Context(), "a", host)
	expectIs(t, err, tenancy.ErrDomainTaken)
	_, err = tenants.ClaimDomain(t.Context(), "a", host)
	expectIs(t, err, tenancy.ErrDomainTaken)
	f.expectHosts(t, "a", "a! shop?")
	f.expectHosts(t, "b", "b! shop")
	d, err := tenants.ClaimDomain(t.Context(), "b", host) // the tenant already has the domain
	check(t, err)
	if !d.Verified() || d.Token != "" {
		t.Errorf("claimed what it has: %+v", d)
	}
	_, err = tenants.VerifyDomain(t.Context(), "a", "never.example.com")
	expectIs(t, err, tenancy.ErrDomainNotFound)
	check(t, tenants.RemoveDomain(t.Context(), "a", host))
	f.expectHosts(t, "a", "a!")
}

var errNotPublished = errors.New("not published")

func TestThePlatformsWordSettlesAClaim(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.row(t, "a", tenancy.Active)
	_, err := f.tenants.ClaimDomain(t.Context(), "a", "shop.example.com")
	check(t, err)
	d, err := f.tenants.AddDomain(t.Context(), "a", "shop.example.com")
	check(t, err)
	if !d.Verified() || d.Token != "" {
		t.Errorf("%+v", d)
	}
}

// The verifier proves a token. A claim that is renewed while the verifier runs has another token.
func TestAClaimMadeAnewIsNotVerifiedByTheOldToken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.row(t, "a", tenancy.Active)
	tenants := f.manager(t, tenancy.Config{Domains: tenancy.DomainVerifierFunc(func(ctx context.Context, d tenancy.Domain) error {
		_, err := f.tenants.ClaimDomain(ctx, "a", d.Host) // no lock blocks this call
		return err
	})})
	_, err := tenants.ClaimDomain(t.Context(), "a", "shop.example.com")
	check(t, err)
	_, err = tenants.VerifyDomain(t.Context(), "a", "shop.example.com")
	expectIs(t, err, tenancy.ErrNotVerified)
	f.expectHosts(t, "a", "a! shop?")
}

func TestOneOfManyWhoProveADomainHasIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tenants := f.manager(t, tenancy.Config{Domains: believing})
	for i := range 8 {
		slug := fmt.Sprintf("t%d", i)
		f.row(t, slug, tenancy.Active)
		_, err := tenants.ClaimDomain(t.Context(), slug, "shop.example.com")
		check(t, err)
	}
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			_, err := tenants.VerifyDomain(t.Context(), fmt.Sprintf("t%d", i), "shop.example.com")
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, tenancy.ErrDomainTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d have it", won.Load())
	}
}

func TestATenantHasSoManyClaimsAndNoMore(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Active)
	tenants := f.manager(t, tenancy.Config{Domains: believing})
	for i := range tenancy.MaxClaims {
		_, err := tenants.ClaimDomain(t.Context(), "a", fmt.Sprintf("claim%d.example.com", i))
		check(t, err)
	}
	_, err := tenants.ClaimDomain(t.Context(), "a", "more.example.com")
	expectIs(t, err, tenancy.ErrTooManyClaims)
	_, err = tenants.ClaimDomain(t.Context(), "a", "claim7.example.com") // renews a claim
	check(t, err)
	_, err = tenants.ClaimDomain(t.Context(), "b", "more.example.com")
	check(t, err)
	_, err = tenants.VerifyDomain(t.Context(), "a", "claim7.example.com") // makes room for another claim
	check(t, err)
	_, err = tenants.ClaimDomain(t.Context(), "a", "more.example.com")
	check(t, err)
	check(t, tenants.RemoveDomain(t.Context(), "a", "claim8.example.com"))
	_, err = tenants.ClaimDomain(t.Context(), "a", "most.example.com")
	check(t, err)
	_, err = tenants.ClaimDomain(t.Context(), "a", "over.example.com")
	expectIs(t, err, tenancy.ErrTooManyClaims)
}
