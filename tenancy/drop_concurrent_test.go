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

// All operations that create, switch or drop schemas of a tenant run concurrently with its drop.
// None waits forever. After the drop there is no schema, role or row of the tenant.
func TestDropDuringOtherOperationsLeavesNoSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop = tenancy.DropConfig{Enabled: true} })
	f.create(t, "a")
	f.dropConcurrently(t, m, "a")
	f.expectInvariants(t)
}

func (f *fixture) dropConcurrently(t *testing.T, m *tenancy.Manager, slug string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var others sync.WaitGroup
	// repeat runs an operation a few times: the drop succeeds when no schema is staged.
	repeat := func(name string, do func() error) {
		others.Go(func() {
			for range 4 {
				err := do()
				assert.True(t, err == nil || ctx.Err() != nil || expectedConcurrently(err), "%s: %v", name, err)
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
		assert.True(t, err == nil || expectedConcurrently(err), "drop: %v", err)
	}
	require.NoError(t, err)
	var left string
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select coalesce(string_agg(x, ' '), '') from (
		select nspname from pg_namespace where nspname ~ $1
		union all select rolname from pg_roles where starts_with(rolname, $2) and rolname ~ $1
		union all select schema_name from public.side_schemas where tenant_id = $3) l(x)`,
		"tenant_"+strconv.FormatInt(tenant.ID, 10)+"(_r[0-9]+)?$", f.roles.Prefix(), tenant.ID).Scan(&left))
	assert.Empty(t, left, "schemas and roles after the drop of %s", slug)
	stop()
	others.Wait()
}

// expectedConcurrently reports whether an operation was refused because of another one.
func expectedConcurrently(err error) bool {
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
