package schemactx_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestUsageCountsHeldConnectionsAndWaits(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{Limits: func(schema string) schemactx.Limits {
		if schema == "tenant_a" {
			return schemactx.Limits{MaxConns: 1}
		}
		return schemactx.Limits{}
	}}, 3)
	expectUsage(t, db)
	ctx, cancel := context.WithCancelCause(in(t, "tenant_a"))
	tooLong, waited := errors.New("too long"), make(chan error)
	require.NoError(t, db.InTx(in(t, "tenant_a"), func(pgx.Tx) error {
		expectUsage(t, db, schemactx.Usage{Schema: "tenant_a", Held: 1, MaxConns: 1})
		s := db.PoolStats()
		assert.Equal(t, 1, s.Pools, "pool stats %+v", s)
		assert.Equal(t, 3, s.MaxConns, "pool stats %+v", s)
		assert.Equal(t, 1, s.Acquired, "pool stats %+v", s)
		go func() {
			_, err := db.Exec(ctx, "select 1")
			waited <- err
		}()
		want := []schemactx.Usage{{Schema: "tenant_a", Held: 1, Waiting: 1, MaxConns: 1}}
		for deadline := time.Now().Add(time.Minute); !slices.Equal(db.Usage(), want) && time.Now().Before(deadline); {
			expectNote(t, in(t, "tenant_b"), db, "tenant_b") // has no limit, so it is not in the list
		}
		expectUsage(t, db, want...)
		cancel(tooLong)
		assert.ErrorIs(t, <-waited, tooLong)
		return nil
	}))
	expectUsage(t, db)
}

func TestPoolStatsOfLanesAndLogins(t *testing.T) {
	t.Parallel()
	f := setup(t)
	lanes := f.open(t, schemactx.Config{Lanes: 2}, 4)
	t.Cleanup(lanes.Close)
	s := lanes.PoolStats()
	assert.Equal(t, 3, s.Pools, "pool stats of lanes %+v", s)
	assert.Equal(t, 8, s.MaxConns, "pool stats of lanes %+v", s)
	f.provisionLogin(t, "tenant_a", "a")
	logins := f.open(t, schemactx.Config{Level: schemactx.Logins, Logins: schemactx.LoginsConfig{
		Password: func(context.Context, string) (string, error) { return "a", nil },
	}}, 1)
	t.Cleanup(logins.Close)
	require.NoError(t, logins.InTx(in(t, "tenant_a"), func(pgx.Tx) error {
		s := logins.PoolStats()
		assert.Equal(t, 2, s.Pools, "pool stats of logins %+v", s)
		assert.Equal(t, 3, s.MaxConns, "pool stats of logins %+v", s)
		assert.Equal(t, 1, s.Acquired, "pool stats of logins %+v", s)
		return nil
	}))
}

func expectUsage(t *testing.T, db *schemactx.DB, want ...schemactx.Usage) {
	t.Helper()
	got := db.Usage()
	assert.True(t, slices.Equal(got, want), "usage %+v, want %+v", got, want)
}
