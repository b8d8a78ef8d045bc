package schemactx_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// A server process builds the list of its login's roles when it first needs it, and again after
// each GRANT. A role that is granted while it builds the list may be missing until the next GRANT
// (PostgreSQL 15 to 18). A new tenant is served nevertheless.
func TestMembershipGrantedDuringAScopeIsFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const conns = 6
	db := f.open(t, schemactx.Config{}, conns)
	// With more roles the server takes longer to build the list.
	_, err := f.pg.Pool.Exec(t.Context(), fmt.Sprintf(`do $$ begin for i in 1..400 loop
		execute format('create role %[1]s__many_%%s', i);
		execute format('grant %[1]s__many_%%s to %[2]s', i);
	end loop; end $$`, f.pg.RolePrefix, f.roles.Runtime()))
	require.NoError(t, err)
	exec := f.openMode(t, pgx.QueryExecModeExec)
	calls := f.calls(db, exec)
	for i := range 60 {
		schema := fmt.Sprintf("new_%d", i)
		stop := make(chan struct{})
		var busy sync.WaitGroup
		for range conns - 1 {
			busy.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_, err := db.Exec(in(t, "tenant_a"), "select 1")
						check(t, err)
					}
				}
			})
		}
		f.provision(t, schema)
		close(stop)
		busy.Wait()
		var serve sync.WaitGroup
		for j := range conns {
			serve.Go(func() { // each on its own connection
				err := calls[j%len(calls)](in(t, schema))
				assert.NoError(t, err, "tenant %d", i)
			})
		}
		serve.Wait()
	}
}

// calls are the different calls that send a statement to the server.
func (f *fixture) calls(named, exec *schemactx.DB) []func(ctx context.Context) error {
	var calls []func(ctx context.Context) error
	for _, db := range []*schemactx.DB{named, exec} {
		calls = append(
			calls,
			func(ctx context.Context) error {
				_, err := db.Exec(ctx, "select 1")
				return err
			},
			func(ctx context.Context) error {
				return db.InTx(ctx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "select 1")
					return err
				})
			},
			func(ctx context.Context) error {
				b := &pgx.Batch{}
				b.Queue("select 1")
				b.Queue("select 2")
				return db.SendBatch(ctx, b).Close()
			},
			func(ctx context.Context) error {
				return db.InTx(ctx, func(tx pgx.Tx) error {
					b := &pgx.Batch{}
					b.Queue("select 1")
					return tx.SendBatch(ctx, b).Close()
				})
			},
		)
	}
	return calls
}

func TestMissingMembershipIsRefusedAfterOneRetry(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.roles.Tenant("tenant_a")
	for i, way := range f.calls(f.open(t, schemactx.Config{}, 1), f.openMode(t, pgx.QueryExecModeExec)) {
		require.NoError(t, way(in(t, "tenant_b")))
		f.exec(t, "revoke "+role+" from "+f.roles.Runtime())
		for range 2 {
			assert.ErrorIs(t, way(in(t, "tenant_a")), schemactx.ErrNotProvisioned, "way %d", i)
			require.NoError(t, way(in(t, "tenant_b")))
		}
		f.provision(t, "tenant_a")
		require.NoError(t, way(in(t, "tenant_a")))
	}
}
