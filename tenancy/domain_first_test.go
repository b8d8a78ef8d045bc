package tenancy_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// A tenant that is found by its slug, by a header or by the metadata of a call needs no domain. Its
// first domain becomes primary.
func TestTenantWithoutDomain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := t.Context()
	m := f.stockManager(t, tenancy.StockConfig{Size: 1}, func(cfg *tenancy.Config) { cfg.Domains = acceptAllDomains })
	refill(t, m)
	for slug, make := range map[string]func(slug string) (tenancy.Tenant, error){
		"created": func(slug string) (tenancy.Tenant, error) { return m.Create(ctx, tenancy.CreateParams{Slug: slug}) },
		"claimed": func(slug string) (tenancy.Tenant, error) {
			return m.AssignStocked(ctx, tenancy.CreateParams{Slug: slug})
		},
		"adopted": func(slug string) (tenancy.Tenant, error) {
			staging, err := m.StageTenant(ctx, tenancy.AdoptParams{Slug: slug})
			require.NoError(t, err)
			adopted, err := staging.Adopt(ctx)
			return adopted, errors.Join(err, staging.Close(ctx))
		},
	} {
		made, err := make(slug)
		require.NoError(t, err, slug)
		assert.Equal(t, tenancy.Active, made.Status)
		f.expectHosts(t, slug, "")
		_, err = m.Suspend(ctx, slug, "unpaid")
		require.NoError(t, err)
		_, err = m.Activate(ctx, slug)
		require.NoError(t, err)
	}
	for route, err := range f.registry.Routes(ctx, tenancy.RouteFilter{}) {
		require.NoError(t, err)
		assert.Empty(t, route.Hosts)
	}
	f.expectInvariants(t)
}

func TestFirstDomainIsPrimary(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := t.Context()
	m := f.manager(t, tenancy.Config{Domains: acceptAllDomains})
	for _, slug := range []string{"added", "claimed", "moved"} {
		_, err := m.Create(ctx, tenancy.CreateParams{Slug: slug})
		require.NoError(t, err)
	}
	first, err := m.AddDomain(ctx, "added", "added.example.com")
	require.NoError(t, err)
	assert.True(t, first.Primary)
	_, err = m.AddDomain(ctx, "added", "second.example.com")
	require.NoError(t, err)
	f.expectHosts(t, "added", "added! second")
	require.ErrorIs(t, m.RemoveDomain(ctx, "added", "added.example.com"), tenancy.ErrPrimaryDomain)

	for _, host := range []string{"claimed.example.com", "other.example.com"} {
		_, err = m.ClaimDomain(ctx, "claimed", host)
		require.NoError(t, err)
	}
	f.expectHosts(t, "claimed", "claimed? other?")
	_, err = m.VerifyDomain(ctx, "claimed", "claimed.example.com")
	require.NoError(t, err)
	_, err = m.AddDomain(ctx, "claimed", "other.example.com")
	require.NoError(t, err)
	f.expectHosts(t, "claimed", "claimed! other")

	moved, err := m.MoveDomain(ctx, tenancy.MoveDomainParams{From: "added", To: "moved", Host: "second.example.com"})
	require.NoError(t, err)
	assert.True(t, moved.Primary)
	_, err = m.MoveDomain(ctx, tenancy.MoveDomainParams{From: "claimed", To: "moved", Host: "other.example.com"})
	require.NoError(t, err)
	f.expectHosts(t, "moved", "second! other")
	f.expectHosts(t, "added", "added!")
	f.expectInvariants(t)

	// SQL that bypasses the Manager cannot leave a tenant with domains but without a primary one.
	_, err = f.owner.Exec(ctx, "update domains set is_primary = false where host = 'added.example.com'")
	require.ErrorContains(t, err, "no primary domain")
	_, err = m.StageTenant(ctx, tenancy.AdoptParams{Slug: "x", Domains: []string{"x.example.com"}})
	var field *tenancy.FieldError
	require.ErrorAs(t, err, &field)
}
