package tenancy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestUpdateChangesOnlyGivenFields(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	a, err := f.registry.BySlug(t.Context(), "a") // a tenant that was read with the runtime login can be updated, too
	require.NoError(t, err)
	name, plan, none := "School A", "gold", ""
	for _, c := range []struct {
		changes tenancy.Changes
		want    string
	}{
		{tenancy.Changes{Name: &name, Plan: &plan}, `School A gold map[] {}`},
		{tenancy.Changes{Limits: map[string]int64{"connections": 4, "x_1": 0}}, `School A gold map[connections:4 x_1:0] {}`},
		{tenancy.Changes{Metadata: json.RawMessage(` {"crm": 7}`)}, `School A gold map[connections:4 x_1:0] {"crm": 7}`},
		{tenancy.Changes{Plan: &none, Limits: map[string]int64{}}, `School A  map[] {"crm": 7}`},
		{tenancy.Changes{Metadata: json.RawMessage(`{}`)}, `School A  map[] {}`},
	} {
		before := a.Version
		a, err = f.tenants.Update(t.Context(), a, c.changes)
		require.NoError(t, err)
		got := fmt.Sprint(a.Name, " ", a.Plan, " ", a.Limits, " ", string(a.Metadata))
		assert.Equal(t, c.want, got, "version %d to %d", before, a.Version)
		assert.Equal(t, before+1, a.Version, "version %d to %d", before, a.Version)
	}
	same, err := f.tenants.Update(t.Context(), a, tenancy.Changes{Name: &name})
	require.NoError(t, err)
	assert.Equal(t, a.Version, same.Version, "version after an update that changes nothing")
}

func TestUpdateRefusesInvalidInput(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.insertTenant(t, "a", tenancy.Active)
	a, err := f.tenants.ByID(t.Context(), id)
	require.NoError(t, err)
	text := func(s string) *string { return &s }
	many := map[string]int64{}
	for i := range 101 {
		many[fmt.Sprintf("l%d", i)] = 1
	}
	for _, c := range []struct {
		field   string
		changes tenancy.Changes
	}{
		{"name", tenancy.Changes{Name: text("")}},
		{"name", tenancy.Changes{Name: text("a\nb")}},
		{"plan", tenancy.Changes{Plan: text(strings.Repeat("x", 101))}},
		{"limits", tenancy.Changes{Limits: map[string]int64{"ok": 1, "Connections": 1}}},
		{"limits", tenancy.Changes{Limits: map[string]int64{"": 1}}},
		{"limits", tenancy.Changes{Limits: map[string]int64{"1a": 1}}},
		{"limits", tenancy.Changes{Limits: map[string]int64{"a\n": 1}}},
		{"limits", tenancy.Changes{Limits: map[string]int64{"a-b": 1}}},
		{"limits", tenancy.Changes{Limits: map[string]int64{strings.Repeat("x", 64): 1}}},
		{"limits", tenancy.Changes{Limits: map[string]int64{"a": -1}}},
		{"limits", tenancy.Changes{Limits: many}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage("")}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage("null")}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage("[]")}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage(`"{}"`)}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage("{")}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage("{}{}")}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage("{\"a\": \"\xff\"}")}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage(`{"a": "` + strings.Repeat("x", 64<<10) + `"}`)}},
		// Go accepts this JSON and PostgreSQL does not.
		{"metadata", tenancy.Changes{Metadata: json.RawMessage(`{"a": "\u0000"}`)}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage(`{"a": "\ud800"}`)}},
		{"metadata", tenancy.Changes{Metadata: json.RawMessage(`{"a": 1e999999}`)}},
	} {
		c.changes.Limits = maps.Clone(c.changes.Limits)
		if c.changes.Name == nil {
			c.changes.Name = text("Changed")
		}
		_, err := f.tenants.Update(t.Context(), a, c.changes)
		expectField(t, err, c.field)
	}
	after, err := f.tenants.ByID(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, a.Version, after.Version)
	assert.Equal(t, a.Name, after.Name)
}

func TestDeepMetadataIsRefusedOrStored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.insertTenant(t, "a", tenancy.Active)
	for _, depth := range []int{100, 9000, 30000} {
		a, err := f.tenants.ByID(t.Context(), id)
		require.NoError(t, err)
		deep := json.RawMessage(`{"a": ` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`)
		if _, err := f.tenants.Update(t.Context(), a, tenancy.Changes{Metadata: deep}); err != nil {
			expectField(t, err, "metadata")
		}
	}
}

func TestConcurrentUpdateReturnsConflict(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.insertTenant(t, "a", tenancy.Active)
	read, err := f.tenants.ByID(t.Context(), id)
	require.NoError(t, err)
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("Name %d", i)
			_, err := f.tenants.Update(t.Context(), read, tenancy.Changes{Name: &name})
			var conflict *tenancy.ConflictError
			switch {
			case err == nil:
				won.Add(1)
			case assert.ErrorAs(t, err, &conflict) && assert.ErrorIs(t, err, tenancy.ErrConflict):
				assert.Equal(t, read.Version, conflict.Version)
				assert.Equal(t, read.Version+1, conflict.Current.Version)
				assert.NotEqual(t, read.Name, conflict.Current.Name)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), won.Load(), "updates that succeeded")
	_, err = f.tenants.Update(t.Context(), tenancy.Tenant{ID: 999}, tenancy.Changes{})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

// SQL outside the library takes no lock. A change between the check of the version and the
// statement is also a conflict.
func TestChangeBySQLIsAConflict(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.insertTenant(t, "a", tenancy.Active)
	before := func(ctx context.Context, data tenancy.StepData) error {
		_, err := f.owner.Exec(ctx, "update tenants set plan = 'by hand' where id = $1", data.Tenant.ID)
		return err
	}
	tenants := f.manager(t, tenancy.Config{Hooks: tenancy.Hooks{Before: before}})
	read, err := tenants.ByID(t.Context(), id)
	require.NoError(t, err)
	name := "New"
	got, err := tenants.Update(t.Context(), read, tenancy.Changes{Name: &name})
	assert.ErrorIs(t, err, tenancy.ErrConflict)
	assert.Equal(t, "by hand", got.Plan)
	assert.NotEqual(t, name, got.Name)
}
