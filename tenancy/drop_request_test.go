package tenancy_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// The approval of a drop of a stocked tenant ends when the tenant is assigned to a customer.
func TestDropRequestForStockedTenantEndsAtAssignment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, seed := range map[string]func(context.Context, *tenancy.Tenant) error{
		"in one step": nil,
		"in steps":    func(context.Context, *tenancy.Tenant) error { return nil },
	} {
		m := f.stockManager(t, tenancy.StockConfig{Size: 2}, func(cfg *tenancy.Config) {
			cfg.Drop = tenancy.DropConfig{Enabled: true, FourEyes: true}
			cfg.Seed = seed
		})
		refill(t, m)
		requests := make(map[string]tenancy.DropRequest)
		for _, id := range stockedIDs(t, m) {
			slug := "_" + strconv.FormatInt(id, 10)
			r, err := m.RequestDrop(t.Context(), slug, actor)
			require.NoError(t, err)
			_, err = m.ApproveDrop(t.Context(), r.ID, "bob@example.com")
			require.NoError(t, err)
			requests[slug] = r
		}
		assigned, err := m.AssignStocked(t.Context(), createParams(strings.ReplaceAll(name, " ", "-")))
		require.NoError(t, err)
		id := "_" + strconv.FormatInt(assigned.ID, 10)
		_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: assigned.Slug, Actor: actor, Token: requests[id].Token})
		require.ErrorIs(t, err, tenancy.ErrDropToken, name)
		f.expectUsable(t, assigned)
		delete(requests, id)
		for slug, r := range requests { // the other tenant is still in stock
			_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: slug, Actor: actor, Token: r.Token})
			require.NoError(t, err, name)
		}
	}
}

// The approval covered the drop of the rows that the schema had while it was retained.
func TestConfirmRequestEndsAtRevert(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	m := f.fourEyesManager(t)
	other := f.replace(t, "a")
	approved := func(schema string) tenancy.DropParams {
		r, err := m.RequestConfirm(t.Context(), "a", schema, actor)
		require.NoError(t, err)
		_, err = m.ApproveDrop(t.Context(), r.ID, "bob@example.com")
		require.NoError(t, err)
		return tenancy.DropParams{Slug: "a", Actor: actor, Token: r.Token}
	}
	swap := func(schema string) {
		_, err := m.RevertReplacement(t.Context(), "a", schema)
		require.NoError(t, err)
	}
	first := approved(a.Schema)
	swap(a.Schema)
	f.expectUsable(t, a) // inserts rows that the approver has not seen
	second := approved(other.Schema)
	swap(other.Schema)
	_, err := m.ConfirmReplacement(t.Context(), first, a.Schema)
	require.ErrorIs(t, err, tenancy.ErrDropToken)
	f.expectUsable(t, tenancy.Tenant{ID: a.ID, Slug: "new", Schema: other.Schema, Status: tenancy.Active})
	swap(a.Schema)
	_, err = m.ConfirmReplacement(t.Context(), second, other.Schema)
	require.ErrorIs(t, err, tenancy.ErrDropToken)

	// A refused revert ends no request.
	third := approved(other.Schema)
	_, err = m.RevertReplacement(t.Context(), "a", "tenant_77")
	require.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	_, err = m.ConfirmReplacement(t.Context(), third, other.Schema)
	require.NoError(t, err)
	f.expectUsable(t, a)
	f.expectInvariants(t)
}
