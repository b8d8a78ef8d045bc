package resolver_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
)

// PgBouncer runs LISTEN on any of its server connections, and discards the notifications.
func TestDirectoryReportsThatAPoolerPreventsListening(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.com")
	for _, conns := range []int{1, 3} {
		through := poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), "r"), conns)
		_, err := resolver.NewDirectory(t.Context(), f.dbAt(t, through, nil), resolver.Config{})
		require.ErrorIs(t, err, resolver.ErrNotListening, "%d connections", conns)

		// If Connect connects to the server directly, the other statements can go through the pooler.
		direct := resolver.Config{Connect: func(ctx context.Context) (*pgx.Conn, error) {
			return pgx.Connect(ctx, f.pg.URLAs(f.roles.Runtime(), "r"))
		}}
		d := open(t, f.dbAt(t, through, nil), direct)
		assert.True(t, d.Status().Connected)
		assert.Zero(t, d.Status().Ignored)
	}
}

// A failover can put a pooler between the directory and the server. The directory reports that when
// it reconnects, gets changes by reconciling, and listens again as soon as it has a direct
// connection.
func TestDirectoryReportsAPoolerBehindTheAddress(t *testing.T) {
	t.Parallel()
	f := setup(t)
	direct := f.pg.URLAs(f.roles.Runtime(), "r")
	var url atomic.Value
	url.Store(direct)
	var listening atomic.Pointer[pgconn.PgConn]
	logged := &lockedBuffer{}
	d := open(t, f.db(t, nil), resolver.Config{
		Logger: slog.New(slog.NewTextHandler(logged, nil)), Reconcile: 20 * time.Millisecond,
		Connect: func(ctx context.Context) (*pgx.Conn, error) {
			conn, err := pgx.Connect(ctx, url.Load().(string))
			if err == nil {
				listening.CompareAndSwap(nil, conn.PgConn())
			}
			return conn, err
		},
	})
	require.True(t, d.Status().Connected)
	url.Store(poolertest.Start(t, direct, 2))
	_, err := f.pg.Pool.Exec(t.Context(), "select pg_terminate_backend($1)", listening.Load().PID())
	require.NoError(t, err)
	eventually(t, "that it does not listen", func() bool {
		s := d.Status()
		return !s.Connected && errors.Is(s.Err, resolver.ErrNotListening)
	})
	assert.Contains(t, logged.String(), resolver.ErrNotListening.Error())
	f.tenant(t, "meanwhile", "meanwhile.example.com")
	eventually(t, "a change, by reconciling", func() bool { return slugOf(t, d, "meanwhile.example.com") == "meanwhile" })
	url.Store(direct)
	eventually(t, "that it listens", func() bool {
		s := d.Status()
		return s.Connected && s.Err == nil
	})
}

// Sessions that notify without end, also on the registry's channel, and a server under load are not
// taken for a pooler.
func TestDirectoryListensOnABusyServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	t.Cleanup(busy.Wait)
	t.Cleanup(stop)
	flooded := make(chan struct{}, 4)
	for range cap(flooded) {
		pool := f.pool(t, f.pg.URLAs(f.roles.Runtime(), "r"), nil)
		busy.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, _ = pool.Exec(ctx, "select pg_notify($1, n::text) from generate_series(1, 200) n", tenancy.Channel)
				if n == 0 {
					flooded <- struct{}{}
				}
			}
		})
	}
	for range cap(flooded) {
		<-flooded
	}
	for range 10 {
		d, err := resolver.NewDirectory(t.Context(), f.db(t, nil),
			resolver.Config{Reconcile: time.Hour, LoadTimeout: time.Minute})
		require.NoError(t, err)
		d.Close()
	}
}

// A pooler in session mode assigns a server connection to the client.
func TestDirectoryListensThroughAPoolerInSessionMode(t *testing.T) {
	t.Parallel()
	f := setup(t)
	through := poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), "r"), 5, "pool_mode = session")
	d := open(t, f.dbAt(t, through, nil), resolver.Config{})
	f.tenant(t, "later", "later.example.com")
	eventually(t, "the tenant", func() bool {
		_, err := d.Resolve(t.Context(), "later.example.com")
		return err == nil
	})
}

// A directory that cannot notify itself, for lack of connections, works and reports that it does
// not know whether it listens.
func TestDirectoryReportsThatItCannotNotifyItself(t *testing.T) {
	t.Parallel()
	f := setup(t)
	logged := &lockedBuffer{}
	url := f.pg.URLAs(f.roles.Runtime(), "r")
	opened := 0
	d := open(t, f.db(t, nil), resolver.Config{
		Logger: slog.New(slog.NewTextHandler(logged, nil)),
		Connect: func(ctx context.Context) (*pgx.Conn, error) {
			if opened++; opened > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return pgx.Connect(ctx, url)
		},
	})
	assert.True(t, d.Status().Connected)
	assert.Contains(t, logged.String(), "cannot tell whether notifications of the registry arrive")
}
