package tenancy_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// Everything that makes, exchanges or drops schemas of a tenant, beside its drop: none waits for
// ever, and when the drop has returned nil there is no schema of the tenant, no role and no row.
func TestDropDuringOtherOperationsLeavesNoSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop = tenancy.DropConfig{Enabled: true} })
	f.create(t, "a")
	f.dropBeside(t, m, "a")
	f.expectInvariants(t)
}

func (f *fixture) dropBeside(t *testing.T, m *tenancy.Manager, slug string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var beside sync.WaitGroup
	// repeat does something some times: the drop needs a moment in which no schema is built.
	repeat := func(name string, do func() error) {
		beside.Go(func() {
			for range 4 {
				err := do()
				assert.True(t, err == nil || ctx.Err() != nil || expectedBeside(err), "%s: %v", name, err)
			}
		})
	}
	repeat("replace", func() error {
		s, err := m.StageReplacement(ctx, slug)
		if err != nil {
			return err
		}
		_, err = s.Replace(ctx)
		return errors.Join(err, s.Close(ctx))
	})
	repeat("stage", func() error {
		s, err := m.StageReplacement(ctx, slug)
		if err == nil {
			err = s.Close(ctx)
		}
		return err
	})
	repeat("revert", func() error {
		retained, err := m.RetainedSchema(ctx, slug)
		if err == nil {
			_, err = m.RevertReplacement(ctx, slug, retained.Schema)
		}
		return err
	})
	repeat("maintenance", func() error {
		_, err := m.StartMaintenance(ctx, slug, tenancy.MaintenanceParams{})
		if err == nil {
			_, err = m.EndMaintenance(ctx, slug)
		}
		return err
	})
	repeat("resume", func() error {
		_, err := m.Resume(ctx, slug)
		return err
	})
	repeat("sweep", func() error {
		_, err := m.SweepStagedSchemas(ctx)
		return err
	})
	tenant, err := m.BySlug(ctx, slug)
	require.NoError(t, err)
	p := request(t, m, slug)
	for err = errors.New("not tried"); err != nil && ctx.Err() == nil; {
		_, err = m.Drop(ctx, p)
		assert.True(t, err == nil || expectedBeside(err), "drop: %v", err)
	}
	require.NoError(t, err)
	var left string
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select coalesce(string_agg(x, ' '), '') from (
		select nspname from pg_namespace where nspname ~ $1
		union all select rolname from pg_roles where starts_with(rolname, $2) and rolname ~ $1
		union all select schema_name from public.side_schemas where tenant_id = $3) l(x)`,
		"tenant_"+strconv.FormatInt(tenant.ID, 10)+"(_r[0-9]+)?$", f.roles.Prefix(), tenant.ID).Scan(&left))
	assert.Empty(t, left, "after the drop of %s there", slug)
	stop()
	beside.Wait()
}

// expectedBeside reports whether an operation has refused what another one is at.
func expectedBeside(err error) bool {
	var replaced *tenancy.ReplacedError
	for _, kind := range []error{
		tenancy.ErrStatus, tenancy.ErrBusy, tenancy.ErrNotFound, tenancy.ErrStagingLost, tenancy.ErrNoRetainedSchema,
		admin.ErrTaken, pgx.ErrNoRows,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return errors.As(err, &replaced)
}
