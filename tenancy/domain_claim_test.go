package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestClaimedDomainIsNotRoutedUntilVerified(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	published := map[string]bool{}
	verify := func(_ context.Context, d tenancy.Domain) error {
		if !published[d.Token] {
			return errNotPublished
		}
		return nil
	}
	tenants := f.manager(t, tenancy.Config{Domains: tenancy.DomainVerifierFunc(verify)})
	const host = "shop.example.com"
	first, err := tenants.ClaimDomain(t.Context(), "a", "Shop.example.com")
	require.NoError(t, err)
	second, err := tenants.ClaimDomain(t.Context(), "b", host) // a claim does not block another claim
	require.NoError(t, err)
	again, err := tenants.ClaimDomain(t.Context(), "a", host)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(first.Token), 26, "length of the token")
	assert.NotEqual(t, again.Token, first.Token, "token of a renewed claim")
	assert.NotEqual(t, first.Token, second.Token, "token of another tenant")
	assert.False(t, first.Verified())
	assert.Equal(t, host, first.Host)
	published[first.Token] = true // this token is no longer valid
	_, err = tenants.VerifyDomain(t.Context(), "a", host)
	assert.ErrorIs(t, err, tenancy.ErrNotVerified)
	assert.ErrorIs(t, err, errNotPublished)
	_, err = tenants.SetPrimaryDomain(t.Context(), "a", host)
	assert.ErrorIs(t, err, tenancy.ErrNotVerified)
	_, err = f.registry.ByHost(t.Context(), host)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)

	published[second.Token] = true
	for range 2 {
		d, err := tenants.VerifyDomain(t.Context(), "b", host)
		require.NoError(t, err)
		assert.True(t, d.Verified())
		assert.Empty(t, d.Token)
		assert.False(t, d.Primary)
	}
	published[again.Token] = true // too late: another tenant has the domain
	_, err = tenants.VerifyDomain(t.Context(), "a", host)
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	_, err = tenants.ClaimDomain(t.Context(), "a", host)
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	f.expectHosts(t, "a", "a! shop?")
	f.expectHosts(t, "b", "b! shop")
	d, err := tenants.ClaimDomain(t.Context(), "b", host) // the tenant already has the domain
	require.NoError(t, err)
	assert.True(t, d.Verified(), "claim of the tenant's own domain")
	assert.Empty(t, d.Token, "claim of the tenant's own domain")
	_, err = tenants.VerifyDomain(t.Context(), "a", "never.example.com")
	assert.ErrorIs(t, err, tenancy.ErrDomainNotFound)
	require.NoError(t, tenants.RemoveDomain(t.Context(), "a", host))
	f.expectHosts(t, "a", "a!")
}

var errNotPublished = errors.New("not published")

func TestAddDomainVerifiesClaim(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	_, err := f.tenants.ClaimDomain(t.Context(), "a", "shop.example.com")
	require.NoError(t, err)
	d, err := f.tenants.AddDomain(t.Context(), "a", "shop.example.com")
	require.NoError(t, err)
	assert.True(t, d.Verified())
	assert.Empty(t, d.Token)
}

// The verifier proves a token. A claim that is renewed while the verifier runs has another token.
func TestRenewedClaimIsNotVerifiedByOldToken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	verify := func(ctx context.Context, d tenancy.Domain) error {
		_, err := f.tenants.ClaimDomain(ctx, "a", d.Host) // no lock blocks this call
		return err
	}
	tenants := f.manager(t, tenancy.Config{Domains: tenancy.DomainVerifierFunc(verify)})
	_, err := tenants.ClaimDomain(t.Context(), "a", "shop.example.com")
	require.NoError(t, err)
	_, err = tenants.VerifyDomain(t.Context(), "a", "shop.example.com")
	assert.ErrorIs(t, err, tenancy.ErrNotVerified)
	f.expectHosts(t, "a", "a! shop?")
}

func TestOneOfConcurrentVerificationsSucceeds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tenants := f.manager(t, tenancy.Config{Domains: acceptAllDomains})
	for i := range 8 {
		slug := fmt.Sprintf("t%d", i)
		f.insertTenant(t, slug, tenancy.Active)
		_, err := tenants.ClaimDomain(t.Context(), slug, "shop.example.com")
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			_, err := tenants.VerifyDomain(t.Context(), fmt.Sprintf("t%d", i), "shop.example.com")
			if err == nil {
				won.Add(1)
			} else {
				assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), won.Load(), "tenants that got the domain")
}

func TestNumberOfClaimsIsLimited(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	tenants := f.manager(t, tenancy.Config{Domains: acceptAllDomains})
	for i := range tenancy.MaxClaims {
		_, err := tenants.ClaimDomain(t.Context(), "a", fmt.Sprintf("claim%d.example.com", i))
		require.NoError(t, err)
	}
	_, err := tenants.ClaimDomain(t.Context(), "a", "more.example.com")
	assert.ErrorIs(t, err, tenancy.ErrTooManyClaims)
	_, err = tenants.ClaimDomain(t.Context(), "a", "claim7.example.com") // renews a claim
	require.NoError(t, err)
	_, err = tenants.ClaimDomain(t.Context(), "b", "more.example.com")
	require.NoError(t, err)
	_, err = tenants.VerifyDomain(t.Context(), "a", "claim7.example.com") // makes room for another claim
	require.NoError(t, err)
	_, err = tenants.ClaimDomain(t.Context(), "a", "more.example.com")
	require.NoError(t, err)
	require.NoError(t, tenants.RemoveDomain(t.Context(), "a", "claim8.example.com"))
	_, err = tenants.ClaimDomain(t.Context(), "a", "most.example.com")
	require.NoError(t, err)
	_, err = tenants.ClaimDomain(t.Context(), "a", "over.example.com")
	assert.ErrorIs(t, err, tenancy.ErrTooManyClaims)
}
