package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestNestedOperationIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "other")
	var m *tenancy.Manager
	cfg := tenancy.Config{Migrator: notesRunner(t, f.owner), Roles: f.roles}
	for slug, inside := range map[string]func(ctx context.Context, own string) error{
		"own": func(ctx context.Context, own string) error {
			_, err := m.AddDomain(ctx, own, "alias.example.com")
			return err
		},
		"another": func(ctx context.Context, _ string) error { _, err := m.Suspend(ctx, "other", ""); return err },
		"new": func(ctx context.Context, _ string) error {
			_, err := m.Create(ctx, tenancy.CreateParams{Slug: "nested", Domain: "nested.example.com"})
			return err
		},
	} {
		pool := f.smallPool(t, 4)
		var err error
		cfg.Seed = func(ctx context.Context, tenant *tenancy.Tenant) error { return inside(ctx, tenant.Slug) }
		m, err = tenancy.New(pool, cfg)
		require.NoError(t, err)
		_, err = m.Create(timeoutContext(t), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		assert.ErrorIs(t, err, tenancy.ErrNested)
		expectIdle(t, pool)
		_, err = f.tenants.Resume(t.Context(), slug)
		require.NoError(t, err)
	}
	f.expectHosts(t, "own", "own!")
	f.expectInvariants(t)
}

func TestApproverMayNotChangeTenants(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	var m *tenancy.Manager
	approve := func(ctx context.Context, data tenancy.ApprovalData) error {
		_, err := m.BySlug(ctx, data.Tenant.Slug)
		assert.NoError(t, err, "a read")
		_, err = m.Suspend(ctx, data.Tenant.Slug, "to be dropped")
		return err
	}
	m, _ = f.dropManager(t, tenancy.DropConfig{Approve: tenancy.ApproverFunc(approve)})
	_, err := m.Drop(timeoutContext(t), request(t, m, "a"))
	assert.ErrorIs(t, err, tenancy.ErrNested)
	assert.ErrorIs(t, err, tenancy.ErrDropNotApproved)
	f.expectInvariants(t)
}

func TestContextOfEndedOperationIsNotNested(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var ended context.Context
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Seed = func(ctx context.Context, _ *tenancy.Tenant) error { ended = ctx; return nil }
	})
	_, err := m.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	require.NoError(t, err)
	assert.ErrorIs(t, ended.Err(), context.Canceled) // ended with the call
	_, err = m.Suspend(context.WithoutCancel(ended), "a", "")
	require.NoError(t, err)
}
