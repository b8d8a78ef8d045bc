package tenancy_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestAdoptStagedTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{
		Slug:     "a",
		Name:     "A",
		Domain:   "A.example.com",
		Domains:  []string{"b.example.com", "a.example.com"},
		Status:   tenancy.Suspended,
		Reason:   "unpaid",
		Plan:     "gold",
		Limits:   map[string]int64{"connections": 3},
		Metadata: json.RawMessage(`{"x":1}`),
	})
	require.NoError(t, err)
	f.fillStaging(t, s, "one")
	_, err = f.tenants.BySlug(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	got, err := s.Adopt(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	assert.Equal(t, s.Schema(), got.Schema)
	assert.Equal(t, s.TenantID(), got.ID)
	assert.Equal(t, tenancy.Suspended, got.Status)
	assert.Equal(t, "unpaid", got.Reason)
	assert.Equal(t, "gold", got.Plan)
	assert.Equal(t, int64(3), got.Limits["connections"])
	assert.Equal(t, `{"x": 1}`, string(got.Metadata))
	f.expectHosts(t, "a", "a! b")
	assert.Equal(t, []string{"one"}, f.tenantNotes(t, got))
	_, err = s.Adopt(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrStagingLost)
	assert.Empty(t, f.auxiliarySchemas(t))
	f.expectInvariants(t)
}

func TestStageTenantRefusesInvalidParams(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	before := f.snapshot(t)
	for field, p := range map[string]tenancy.AdoptParams{
		"slug":     {Slug: "A b", Domain: "x.example.com"},
		"domain":   {Slug: "x", Domain: "not a host"},
		"status":   {Slug: "x", Domain: "x.example.com", Status: tenancy.Dropping},
		"reason":   {Slug: "x", Domain: "x.example.com", Reason: "why"},
		"metadata": {Slug: "x", Domain: "x.example.com", Metadata: json.RawMessage("[]")},
		"limits":   {Slug: "x", Domain: "x.example.com", Limits: map[string]int64{"x": -1}},
		"plan":     {Slug: "x", Domain: "x.example.com", Plan: "a\nb"},
	} {
		_, err := f.tenants.StageTenant(t.Context(), p)
		expectField(t, err, field)
	}
	_, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "a", Domain: "x.example.com"})
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	_, err = f.tenants.StageTenant(
		t.Context(),
		tenancy.AdoptParams{Slug: "x", Domain: "x.example.com", Domains: []string{"a.example.com"}},
	)
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	assert.Equal(t, before, f.snapshot(t))
}

func TestAdoptRefusesTakenSlug(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "a", Domain: "a.example.com"})
	require.NoError(t, err)
	f.create(t, "a")
	before := f.snapshot(t)
	_, err = s.Adopt(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	var stepErr *tenancy.StepError
	if assert.ErrorAs(t, err, &stepErr) {
		assert.Equal(t, tenancy.OpAdopt, stepErr.Op)
	}
	assert.Equal(t, before, f.snapshot(t))
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	f.expectInvariants(t)
}

func TestDropRemovesRetainedSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	replaced := f.replace(t, "a")
	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	_, err := dropper.Drop(t.Context(), request(t, dropper, "a"))
	require.NoError(t, err)
	for _, tenant := range []tenancy.Tenant{a, replaced} {
		assert.Empty(t, f.leftovers(t, tenant))
	}
	f.expectInvariants(t)
}

func TestSweepDropsAbandonedStagedSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	live := f.stageReplacement(t, "a", "new")
	dead, err := f.tenants.StageScratch(t.Context())
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), `select pg_terminate_backend(pid) from public.registry_locks
		where key = 'side ' || (select id from public.side_schemas where schema_name = $1)`, dead.Schema())
	require.NoError(t, err)
	report := tenancy.SweepReport{}
	for len(report.Dropped) == 0 { // until the session has ended
		report, err = f.tenants.SweepStagedSchemas(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, []string{dead.Schema()}, report.Dropped)
	assert.Equal(t, []string{live.Schema()}, report.InUse)
	_ = dead.Close(t.Context())
	_, err = live.Replace(t.Context())
	require.NoError(t, err)
	report, err = f.tenants.SweepStagedSchemas(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Dropped)
	assert.Empty(t, report.InUse)
}

func TestStagedSchemaIsDroppedWhenContextEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before := f.snapshot(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := f.tenants.StageTenant(ctx, tenancy.AdoptParams{Slug: "a", Domain: "a.example.com"})
	require.NoError(t, err)
	f.fillStaging(t, s, "x")
	cancel()
	_, err = s.Adopt(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close(ctx))
	assert.Equal(t, before, f.snapshot(t))
}
