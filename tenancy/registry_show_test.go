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
		if assert.Equal(t, want[i].Host, d.Host, "shows %+v, want %+v", d, want[i]) &&
			assert.Equal(t, id, d.TenantID, "shows %+v, want %+v", d, want[i]) &&
			assert.Equal(t, want[i].Primary, d.Primary, "shows %+v, want %+v", d, want[i]) &&
			assert.Equal(t, want[i].Verified(), d.Verified(), "shows %+v, want %+v", d, want[i]) &&
			assert.WithinDuration(t, want[i].CreatedAt, d.CreatedAt, 0, "shows %+v, want %+v", d, want[i]) {
			assert.Equal(t, want[i].Token, d.Token, "shows %+v, want %+v", d, want[i])
		}
	}
	if assert.Equal(t, id, shown.Tenant.ID, "shows %+v", shown) &&
		assert.Equal(t, "a", shown.Tenant.Slug, "shows %+v", shown) &&
		assert.Equal(t, "{}", string(shown.Tenant.Metadata), "shows %+v", shown) {
		assert.Equal(t, claim.Token, shown.Domains[2].Token, "shows %+v", shown)
	}
	_, err = f.owner.Exec(
		t.Context(),
		"insert into schema_names values ('s', 9); insert into tenants (schema_name, slug, name, status) values ('s', 'c', 'C', 'stocked')",
	)
	require.NoError(t, err)
	for slug, domains := range map[string]int{"a": 3, "c": 0} {
		public, err := f.registry.Show(t.Context(), slug) // with the privileges of the runtime login
		require.NoError(t, err)
		assert.Equal(t, slug, public.Tenant.Slug, "the runtime login is shown %+v", public)
		assert.Len(t, public.Domains, domains, "the runtime login is shown %+v", public)
		assert.Nil(t, public.Tenant.Metadata, "the runtime login is shown %+v", public)
		for _, d := range public.Domains {
			assert.Empty(t, d.Token, "the runtime login is shown a token")
		}
	}
	_, err = f.registry.Show(t.Context(), "nobody")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}
