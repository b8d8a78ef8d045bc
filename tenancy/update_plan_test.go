package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestPlanMustBeConfigured(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	names := []string{"basic", "premium"}
	m := f.manager(t, tenancy.Config{Plans: func() []string { return names }})
	set := func(plan string) error {
		read, err := m.BySlug(t.Context(), "a")
		require.NoError(t, err)
		_, err = m.Update(t.Context(), read, tenancy.Changes{Plan: &plan})
		return err
	}
	require.NoError(t, set("premium"))
	for _, plan := range []string{"premum", "Premium", "premium "} {
		err := set(plan)
		var field *tenancy.FieldError
		require.ErrorAs(t, err, &field, plan)
		assert.Equal(t, "plan", field.Field)
		require.ErrorContains(t, m.CheckPlan(plan), "basic, premium")
	}
	names = []string{"basic"} // of a later release: a tenant with the removed plan keeps it
	require.NoError(t, set("premium"))
	require.NoError(t, set("basic"))
	require.Error(t, set("premium"))
	require.NoError(t, set(""))
	require.NoError(t, f.tenants.CheckPlan("anything"))
	require.Error(t, f.tenants.CheckPlan("two\nlines"))
}
