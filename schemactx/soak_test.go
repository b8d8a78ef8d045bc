package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

const (
	soakTenants    = 50
	soakGoroutines = 64
	soakConns      = 4
	soakPatience   = time.Minute // for all operations: their rate depends on the machine
)

// soak is row 45 of the attacks: many tenants on few connections, contexts that are canceled at any
// moment, and an administrator who ends sessions. Every row contains the tenant for which it was
// written.
type soak struct {
	db      *schemactx.DB
	stalled *time.Timer // starts again with each operation that ends
	pool    *pgxpool.Pool
	admin   *pgxpool.Pool
	names   [soakTenants]string
	left    atomic.Int64 // operations to do
	ids     atomic.Int64 // of rows
	sure    [soakTenants]atomic.Int64
	unsure  [soakTenants]atomic.Int64 // rows whose insert returned an error, so they may exist or not
	failed  atomic.Int64              // operations
	killed  atomic.Int64              // sessions
}

// soakOperations returns the number of operations. CI runs most of them on the newest version,
// where it does not use the race detector: with it, 100,000 take minutes.
func soakOperations(t *testing.T) int64 {
	t.Helper()
	switch {
	case os.Getenv("CI") != "" && pgtest.Version(t) >= 18:
		return 100_000
	case testing.Short():
		return 5_000
	}
	return 20_000
}

func TestSoak(t *testing.T) {
	s := newSoak(t)
	total := soakOperations(t)
	s.left.Store(total)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.stalled = time.AfterFunc(soakPatience, cancel)
	defer s.stalled.Stop()
	killing, stop := context.WithCancel(ctx)
	var kills, work sync.WaitGroup
	kills.Go(func() { s.kill(t, killing) })
	seed := rand.Uint64()
	for i := range soakGoroutines {
		work.Go(func() { s.work(t, ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	work.Wait()
	stop()
	kills.Wait()
	left := s.left.Load()
	assert.LessOrEqual(t, left, int64(0),
		"no operation ended within %v, and %d of %d are left", soakPatience, left, total)
	s.count(t)
	t.Logf("%d operations with seed %d, %d met an error, %d sessions ended", total, seed, s.failed.Load(), s.killed.Load())
	assert.NotZero(t, s.failed.Load(), "too few or too many errors to show anything")
	assert.NotZero(t, s.killed.Load(), "too few or too many errors to show anything")
	assert.LessOrEqual(t, s.failed.Load(), total/5, "too few or too many errors to show anything")
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(
		t.Context(),
		pg.Pool,
		admin.SetupConfig{Roles: roles, OwnerPassword: ownerPassword, RuntimePassword: runtimePassword},
	)
	require.NoError(t, err)
	s := &soak{admin: pg.Pool, pool: openPool(t, pg.URLAs(roles.Runtime(), runtimePassword), soakConns)}
	// The cache is too small for all tenants, so that statements are evicted.
	s.db, err = schemactx.New(s.pool, schemactx.Config{Roles: roles, StatementCacheCapacity: 2 * soakTenants})
	require.NoError(t, err)
	owner := openPool(t, pg.URLAs(roles.Owner(), ownerPassword), 1)
	for i := range s.names {
		s.names[i] = fmt.Sprintf("tenant_%d", i)
		_, err := admin.Provision(t.Context(), owner, roles, s.names[i])
		require.NoError(t, err)
		_, err = owner.Exec(
			t.Context(),
			fmt.Sprintf(`create table %s.ledger (id bigint primary key, tenant text not null, fate text not null);
			insert into %[1]s.ledger values (%d, '%[1]s', 'seed')`, s.names[i], -i),
		)
		require.NoError(t, err)
	}
	return s
}

// work runs operations until none is left.
func (s *soak) work(t *testing.T, ctx context.Context, r *rand.Rand) {
	for s.left.Add(-1) >= 0 && ctx.Err() == nil {
		tenant := r.IntN(soakTenants)
		ownCtx := schemactx.NewContext(ctx, s.names[tenant])
		cancel := func() {}
		if r.IntN(50) == 0 {
			ownCtx, cancel = context.WithTimeout(ownCtx, time.Duration(r.IntN(3000))*time.Microsecond)
		}
		var err error
		switch n := r.IntN(100); {
		case n < 45:
			err = s.readRow(t, ownCtx, tenant)
		case n < 70:
			err = s.readRows(t, ownCtx, tenant)
		case n < 85:
			err = s.insert(ownCtx, tenant)
		default:
			err = s.transact(t, ownCtx, tenant, r.IntN(3) == 0)
		}
		cancel()
		s.stalled.Reset(soakPatience)
		if err != nil {
			s.failed.Add(1)
			assert.True(t, expectedInSoak(err), "in %s: %v", s.names[tenant], err)
		}
	}
}

// own fails the test unless a row read in a tenant's schema contains that tenant.
func (s *soak) own(t *testing.T, tenant int, found string) {
	assert.Equal(t, s.names[tenant], found, "in %s: read a row of %s", s.names[tenant], found)
}

func (s *soak) readRow(t *testing.T, ctx context.Context, tenant int) error {
	var found string
	if err := s.db.QueryRow(ctx, "select tenant from ledger order by id limit 1").Scan(&found); err != nil {
		return err
	}
	s.own(t, tenant, found)
	return nil
}

func (s *soak) readRows(t *testing.T, ctx context.Context, tenant int) error {
	rows, err := s.db.Query(ctx, "select tenant from ledger order by id desc limit $1", 10)
	if err != nil {
		return err
	}
	var found string
	_, err = pgx.ForEachRow(rows, []any{&found}, func() error {
		s.own(t, tenant, found)
		return nil
	})
	return err
}

func (s *soak) insert(ctx context.Context, tenant int) error {
	_, err := s.db.Exec(ctx, "insert into ledger values ($1, $2, 'kept')", s.ids.Add(1), s.names[tenant])
	s.written(tenant, 1, err)
	return err
}

func (s *soak) written(tenant, rows int, err error) {
	if err != nil {
		s.unsure[tenant].Add(int64(rows))
		return
	}
	s.sure[tenant].Add(int64(rows))
}

var errGiveUp = errors.New("give up")

// transact writes two rows and reads them. With giveUp it rolls back.
func (s *soak) transact(t *testing.T, ctx context.Context, tenant int, giveUp bool) error {
	fate := "kept"
	if giveUp {
		fate = "rolled back"
	}
	err := s.db.InTx(ctx, func(tx pgx.Tx) error {
		for range 2 {
			if _, err := tx.Exec(
				ctx,
				"insert into ledger values ($1, $2, $3)",
				s.ids.Add(1),
				s.names[tenant],
				fate,
			); err != nil {
				return err
			}
		}
		var found string
		if err := tx.QueryRow(ctx, "select tenant from ledger order by id desc limit 1").Scan(&found); err != nil {
			return err
		}
		s.own(t, tenant, found)
		if giveUp {
			return errGiveUp
		}
		return nil
	})
	if giveUp {
		if errors.Is(err, errGiveUp) {
			return nil
		}
		return err
	}
	s.written(tenant, 2, err)
	return err
}

// kill ends a session of the runtime login, repeatedly.
func (s *soak) kill(t *testing.T, ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		tag, err := s.admin.Exec(context.WithoutCancel(ctx), `select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database() and usename = $1 order by random() limit 1`, s.pool.Config().ConnConfig.User)
		if !assert.NoError(t, err, "end a session") {
			return
		}
		s.killed.Add(tag.RowsAffected())
	}
}

// count checks every schema's rows as the superuser.
func (s *soak) count(t *testing.T) {
	t.Helper()
	for i, name := range s.names {
		var rows, foreign, undone int64
		require.NoError(t, s.admin.QueryRow(t.Context(), fmt.Sprintf(`select count(*) filter (where fate = 'kept'),
			count(*) filter (where tenant <> '%s'), count(*) filter (where fate = 'rolled back')
				from %[1]s.ledger`, name)).Scan(&rows, &foreign, &undone))
		assert.Zero(t, foreign, "%s holds %d rows of others and %d that were rolled back", name, foreign, undone)
		assert.Zero(t, undone, "%s holds %d rows of others and %d that were rolled back", name, foreign, undone)
		sure, unsure := s.sure[i].Load(), s.unsure[i].Load()
		assert.GreaterOrEqual(t, rows, sure, "%s holds %d rows, want %d and at most %d more", name, rows, sure, unsure)
		assert.LessOrEqual(t, rows, sure+unsure, "%s holds %d rows, want %d and at most %d more", name, rows, sure, unsure)
	}
	assert.Zero(t, s.pool.Stat().AcquiredConns(), "connections were never given back")
}

// expectedInSoak reports whether a canceled context or the end of a session may cause the error.
func expectedInSoak(err error) bool {
	for _, is := range []error{
		context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgx.ErrTxClosed,
		schemactx.ErrTransactionEnded,
	} {
		if errors.Is(err, is) {
			return true
		}
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code == "57P01" || pgErr.Code == "57014" // ended by the administrator, or canceled
	}
	var netErr net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &netErr) || strings.Contains(err.Error(), "conn closed")
}
