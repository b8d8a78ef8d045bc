package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestShowReturnsTenantWithDomains(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	_, err := f.tenants.AddDomain(t.Context(), "a", "0alias.example.com")
	require.NoError(t, err)
	claim, err := f.tenants.ClaimDomain(t.Context(), "a", "claim.example.com")
	require.NoError(t, err)
	shown, err := f.tenants.Show(t.Context(), "a")
	require.NoError(t, err)
	want, err := f.tenants.Domains(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, shown.Domains, 3)
	for i, d := range shown.Domains {
		assert.Equal(t, want[i].Host, d.Host)
		assert.Equal(t, id, d.TenantID, d.Host)
		assert.Equal(t, want[i].Primary, d.Primary, d.Host)
		assert.Equal(t, want[i].Verified(), d.Verified(), d.Host)
		assert.WithinDuration(t, want[i].CreatedAt, d.CreatedAt, 0, d.Host)
		assert.Equal(t, want[i].Token, d.Token, d.Host)
	}
	assert.Equal(t, id, shown.Tenant.ID)
	assert.Equal(t, "a", shown.Tenant.Slug)
	assert.Equal(t, "{}", string(shown.Tenant.Metadata))
	assert.Equal(t, claim.Token, shown.Domains[2].Token)
	_, err = f.owner.Exec(t.Context(), `insert into schema_names values ('s', 9);
		insert into tenants (schema_name, slug, name, status) values ('s', 'c', 'C', 'stocked')`)
	require.NoError(t, err)
	for slug, domains := range map[string]int{"a": 3, "c": 0} {
		public, err := f.registry.Show(t.Context(), slug) // with the privileges of the runtime login
		require.NoError(t, err)
		assert.Equal(t, slug, public.Tenant.Slug)
		assert.Len(t, public.Domains, domains)
		assert.Nil(t, public.Tenant.Metadata)
		for _, d := range public.Domains {
			assert.Empty(t, d.Token, "the runtime login reads a token")
		}
	}
	_, err = f.registry.Show(t.Context(), "missing")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}
