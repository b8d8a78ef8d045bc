package tenancy_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/tenancy"
)

// A pooler in session mode keeps the session of a killed process for the next client.
func TestLockOfDeadProcessIsReleasedThroughPooler(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	var mu sync.Mutex
	var conns []net.Conn
	url := poolertest.Start(t, f.pg.URLAs(f.roles.Owner(), "o"), 4, "pool_mode = session")
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, conn)
		}
		return conn, err
	}
	pool := newPool(t, url, func(cfg *pgxpool.Config) { cfg.ConnConfig.DialFunc = dial })
	disconnect := tenancy.ApproverFunc(func(context.Context, tenancy.ApprovalData) error {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		return errors.New("disconnected")
	})
	disconnecting, err := tenancy.New(pool, tenancy.Config{
		Migrator: f.migrator, Roles: f.roles, Drop: tenancy.DropConfig{Enabled: true, Approve: disconnect},
	})
	require.NoError(t, err)
	_, err = disconnecting.Drop(t.Context(), request(t, disconnecting, "a"))
	require.ErrorIs(t, err, tenancy.ErrDropNotApproved)
	var rows int
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select count(*) from public.registry_locks l
		join pg_stat_activity a on a.pid = l.pid and a.backend_start = l.backend_start`).Scan(&rows))
	require.Equal(t, 1, rows, "the session and the row outlive the process")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = f.tenants.Suspend(ctx, "a", "x")
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), "delete from public.registry_locks")
	require.NoError(t, err)
}
