package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestRegistryIdentity(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	first, err := f.tenants.Identity(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.tenants.Init(t.Context()))
	same, err := f.tenants.Identity(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first, same)

	second, err := f.tenants.RenewIdentity(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, first, second)
	a, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, second, a.Registry)
	served, err := f.registry.BySlug(t.Context(), "a") // the runtime login may not read the identity
	require.NoError(t, err)
	assert.Empty(t, served.Registry)
	_, err = f.registry.Identity(t.Context())
	require.Error(t, err)

	_, err = f.owner.Exec(t.Context(), "delete from registry_identity")
	require.NoError(t, err)
	_, err = f.tenants.Identity(t.Context())
	require.ErrorIs(t, err, tenancy.ErrNoIdentity)
	_, err = f.tenants.RenewIdentity(t.Context())
	require.NoError(t, err)
	_, err = f.owner.Exec(t.Context(), "insert into registry_identity default values")
	require.Error(t, err, "a registry has one identity")
}
