package schemactx_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

func TestUsageTellsWhoHoldsAndWhoWaits(t *testing.T) {
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
	check(t, db.InTx(in(t, "tenant_a"), func(pgx.Tx) error {
		expectUsage(t, db, schemactx.Usage{Schema: "tenant_a", Held: 1, MaxConns: 1})
		if s := db.PoolStats(); s.Pools != 1 || s.MaxConns != 3 || s.Acquired != 1 {
			t.Errorf("pool stats %+v", s)
		}
		go func() {
			_, err := db.Exec(ctx, "select 1")
			waited <- err
		}()
		want := []schemactx.Usage{{Schema: "tenant_a", Held: 1, Waiting: 1, MaxConns: 1}}
		for deadline := time.Now().Add(time.Minute); !slices.Equal(db.Usage(), want) && time.Now().Before(deadline); {
			expectNote(t, in(t, "tenant_b"), db, "tenant_b") // has no limit, and is in no list
		}
		expectUsage(t, db, want...)
		cancel(tooLong)
		expectIs(t, <-waited, tooLong)
		return nil
	}))
	expectUsage(t, db)
}

func TestPoolStatsOfLanesAndLogins(t *testing.T) {
	t.Parallel()
	f := setup(t)
	lanes := f.open(t, schemactx.Config{Lanes: 2}, 4)
	t.Cleanup(lanes.Close)
	if s := lanes.PoolStats(); s.Pools != 3 || s.MaxConns != 8 {
		t.Errorf("pool stats of lanes %+v", s)
	}
	f.provisionLogin(t, "tenant_a", "a")
	logins := f.open(t, schemactx.Config{Level: schemactx.Logins, Logins: schemactx.LoginsConfig{
		Password: func(context.Context, string) (string, error) { return "a", nil },
	}}, 1)
	t.Cleanup(logins.Close)
	check(t, logins.InTx(in(t, "tenant_a"), func(pgx.Tx) error {
		if s := logins.PoolStats(); s.Pools != 2 || s.MaxConns != 3 || s.Acquired != 1 {
			t.Errorf("pool stats of logins %+v", s)
		}
		return nil
	}))
}

func expectUsage(t *testing.T, db *schemactx.DB, want ...schemactx.Usage) {
	t.Helper()
	if got := db.Usage(); !slices.Equal(got, want) {
		t.Errorf("usage %+v, want %+v", got, want)
	}
}
