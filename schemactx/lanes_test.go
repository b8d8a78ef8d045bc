package schemactx_test

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestTenantPrefersItsLane(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{Lanes: 4}, 6)
	t.Cleanup(db.Close)
	home := map[string]int{}
	for range 5 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			body, pid, err := note(in(t, schema), db)
			require.NoError(t, err)
			if home[schema] == 0 {
				home[schema] = pid
			}
			assert.Equal(t, schema, body, "in %s: read %q on backend %d, want %d", schema, body, pid, home[schema])
			assert.Equal(t, home[schema], pid, "in %s: read %q on backend", schema, body)
		}
	}
	var user string
	require.NoError(t, db.QueryRow(schemactx.NewPublicContext(t.Context()), "select current_user").Scan(&user))
	assert.Equal(t, f.roles.Public(), user, "public work runs as %s", user)
}

// A single active tenant gets all connections, because a lane is only a preference.
func TestTenantUsesOtherLanesWhileItsOwnIsBusy(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const conns = 5
	db := f.open(t, schemactx.Config{Lanes: 2}, conns)
	t.Cleanup(db.Close)
	var wg, all sync.WaitGroup
	all.Add(conns)
	for range conns {
		wg.Go(func() {
			ctx := in(t, "tenant_a")
			err := db.InTx(ctx, func(tx pgx.Tx) error {
				expectNote(t, ctx, tx, "tenant_a")
				all.Done()
				all.Wait() // until each has a connection
				return nil
			})
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	for i := range 50 { // more than the number of connections
		wg.Go(func() {
			schema := []string{"tenant_a", "tenant_b"}[i%2]
			expectNote(t, in(t, schema), db, schema)
		})
	}
	wg.Wait()
}

func TestNewRefusesInvalidLanes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 2)
	for _, cfg := range []schemactx.Config{{Lanes: -1}, {Lanes: 3}, {Lanes: 2, Level: schemactx.Logins}} {
		_, err := schemactx.New(pool, cfg)
		assert.Error(t, err, "%d lanes at %s on two connections were not refused", cfg.Lanes, cfg.Level)
	}
}
