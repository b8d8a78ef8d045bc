package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// canceller is a tracer that cancels a context at the start of the n-th statement.
type canceller struct {
	left atomic.Int64
	end  atomic.Pointer[context.CancelFunc]
}

func (c *canceller) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if c.left.Add(-1) == 0 {
		(*c.end.Load())()
	}
	return ctx
}

func (c *canceller) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// arm returns a context that ends at the n-th statement from now, or never if n is 0.
func (c *canceller) arm(t *testing.T, n int) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	c.end.Store(&cancel)
	c.left.Store(int64(n))
	return ctx
}

// Each operation loses its context at its first statement, then at its second, and so on until it
// succeeds. After each attempt all connections are back in the pool, and the same call, or Resume,
// continues.
func TestOperationsContinueAfterCancellationAtEachStatement(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cancelAt := &canceller{}
	pool := f.ownerPool(t, func(cfg *pgxpool.Config) { cfg.MaxConns, cfg.ConnConfig.Tracer = 2, cancelAt })
	m, err := tenancy.New(pool, tenancy.Config{
		Migrator: notesRunner(t, pool), Roles: f.roles, Domains: acceptAllDomains, Drop: tenancy.DropConfig{Enabled: true},
		Stock: tenancy.StockConfig{Size: 1, StockOnly: true},
	})
	require.NoError(t, err)
	move := tenancy.MoveDomainParams{Host: "alias.example.com", From: "a", To: "b"}
	var token tenancy.DropParams
	for _, op := range []struct {
		name string
		call func(ctx context.Context) error
		done error // the error of a repeated call if the previous call succeeded without learning it
	}{
		{"create", func(ctx context.Context) error {
			_, err := m.Create(ctx, tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
			if errors.Is(err, tenancy.ErrSlugTaken) {
				_, err = m.Resume(ctx, "a")
			}
			return err
		}, tenancy.ErrStatus},
		{"refill", func(ctx context.Context) error { _, err := m.Refill(ctx); return err }, nil},
		{"assign stocked", func(ctx context.Context) error {
			_, err := m.AssignStocked(ctx, createParams("b"))
			return err
		}, tenancy.ErrSlugTaken},
		{"add domain", func(ctx context.Context) error {
			_, err := m.AddDomain(ctx, "a", "alias.example.com")
			return err
		}, nil},
		{"move domain", func(ctx context.Context) error { _, err := m.MoveDomain(ctx, move); return err }, nil},
		{"rename", func(ctx context.Context) error {
			_, err := m.Rename(ctx, "a", tenancy.RenameParams{Slug: "c", Schema: "c"})
			return err
		}, nil},
		{"maintenance", func(ctx context.Context) error {
			_, err := m.StartMaintenance(ctx, "c", tenancy.MaintenanceParams{})
			return err
		}, nil},
		{"request", func(ctx context.Context) error {
			r, err := m.RequestDrop(ctx, "c", actor)
			token = tenancy.DropParams{Slug: "c", Token: r.Token, Actor: actor}
			return err
		}, nil},
		{"drop", func(ctx context.Context) error { _, err := m.Drop(ctx, token); return err }, tenancy.ErrNotFound},
	} {
		for n := 1; ; n++ {
			err := op.call(cancelAt.arm(t, n))
			completed := cancelAt.left.Load() > 0
			require.LessOrEqual(t, n, 200, "%s, attempt %d: %v", op.name, n, err)
			if completed && err != nil {
				require.ErrorIs(t, err, op.done, "%s, attempt %d", op.name, n)
			}
			expectIdle(t, pool)
			if completed {
				break
			}
		}
	}
	cancelAt.arm(t, 0)
	b, err := m.BySlug(t.Context(), "b")
	assert.NoError(t, err)
	assert.Equal(t, tenancy.Active, b.Status)
	_, err = m.BySlug(t.Context(), "c")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	f.expectInvariants(t)
}

func TestCreateIsResumedAfterPanic(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := f.smallPool(t, 2)
	for i, change := range []func(cfg *tenancy.Config){
		func(cfg *tenancy.Config) { cfg.Seed = func(context.Context, *tenancy.Tenant) error { panic("seed") } },
		func(cfg *tenancy.Config) {
			cfg.Hooks.Before = func(context.Context, tenancy.StepData) error { panic("before") }
		},
		func(cfg *tenancy.Config) {
			cfg.Hooks.After = func(context.Context, tenancy.StepData) { panic("after") }
		},
	} {
		cfg := tenancy.Config{Migrator: notesRunner(t, pool), Roles: f.roles}
		change(&cfg)
		m, err := tenancy.New(pool, cfg)
		require.NoError(t, err)
		slug := fmt.Sprintf("s%d", i)
		func() {
			defer func() {
				assert.NotNil(t, recover(), "the panic did not reach the caller of Create")
			}()
			_, _ = m.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		}()
		expectIdle(t, pool)
		_, err = f.tenants.Resume(timeoutContext(t), slug)
		require.NoError(t, err)
	}
	f.expectInvariants(t)
}
