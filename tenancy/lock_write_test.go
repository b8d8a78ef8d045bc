package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// blockSuspend starts a suspension of the tenant "a" and returns when its write waits for the row
// lock of the tenant. unblock releases the row lock.
func (f *fixture) blockSuspend(
	ctx context.Context, t *testing.T, m *tenancy.Manager,
) (result chan error, unblock func()) {
	t.Helper()
	tx, err := f.pg.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from public.tenants where slug = 'a' for update")
	require.NoError(t, err)
	result = make(chan error, 1)
	go func() {
		_, err := m.Suspend(ctx, "a", "of the first")
		result <- err
	}()
	const waits = `exists (select from pg_stat_activity
		where wait_event_type = 'Lock' and pid in (select pid from public.registry_locks))`
	f.waitUntil(t, waits)
	return result, func() { // after the server has ended the statement
		f.waitUntil(t, "not "+waits)
		require.NoError(t, tx.Rollback(context.Background()))
	}
}

func TestLockLostDuringWriteWritesNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *fixture, cancel func()){
		"its session is ended": func(f *fixture, _ func()) { f.terminateLockSessions(t) },
		"its context ends":     func(_ *fixture, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.create(t, "a")
			pool := f.smallPool(t, 2)
			m, err := tenancy.New(pool, tenancy.Config{Migrator: notesRunner(t, pool), Roles: f.roles})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(timeoutContext(t))
			result, unblock := f.blockSuspend(ctx, t, m)
			end(f, cancel)
			expectLockLost(t, <-result, "status")
			unblock()
			got, err := f.tenants.StartMaintenance(timeoutContext(t), "a", tenancy.MaintenanceParams{Reason: "of the second"})
			require.NoError(t, err)
			assert.Equal(t, "of the second", got.Reason)
			cancel()
			expectIdle(t, pool)
			_, err = m.Suspend(timeoutContext(t), "a", "again")
			require.NoError(t, err)
			f.expectInvariants(t)
		})
	}
}
