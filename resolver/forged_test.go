package resolver_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// Every role can notify. A tenant that sends 10,000 notifications, with garbage and with existing
// ids, makes the directory load within its pauses, but does not change its content.
func TestForgedNotificationsCostLittleAndChangeNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.tenant(t, "a", "a.example.com")
	b := f.tenant(t, "b", "b.example.com")
	_, err := admin.Provision(t.Context(), f.owner, f.roles, "s_a")
	require.NoError(t, err)
	var queries counter
	d := open(t, f.db(t, &queries), resolver.Config{})
	before := queries.n.Load()
	start := time.Now()
	require.NoError(t, pgx.BeginFunc(t.Context(), f.pg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "set local role "+pgx.Identifier{f.roles.Tenant("s_a")}.Sanitize())
		require.NoError(t, err)
		for _, payload := range []string{
			"''", "'-1'", "'0'", "'+1'", "'01'", "' 1'", "'1; drop table tenants'", "'99999999999999999999'", "'a.example.com'",
			"repeat('9', 7999)",
		} {
			_, err := tx.Exec(t.Context(), "select pg_notify('"+tenancy.Channel+"', "+payload+")")
			require.NoError(t, err)
		}
		_, err = tx.Exec(t.Context(), "select pg_notify('"+tenancy.Channel+"', i::text) from generate_series(1, 10000) i")
		return err
	}))
	eventually(t, "all notifications",
		func() bool { s := d.Status(); return s.Notifications == 10_000 && s.Ignored == 10 })
	f.exec(t, "update domains set host = 'new.example.com' where tenant_id = $1", b) // is seen despite the forged ones
	eventually(t, "a true change", func() bool { return slugOf(t, d, "new.example.com") == "b" })
	expectHosts(t, d, map[string]string{"a.example.com": "a", "b.example.com": ""})
	found, ok := d.ByID(a)
	s := d.Status()
	if assert.True(t, ok, "%+v, %+v", found, s) &&
		assert.Equal(t, "a", found.Slug, "%+v, %+v", found, s) &&
		assert.Equal(t, 2, s.Tenants, "%+v, %+v", found, s) &&
		assert.Equal(t, 2, s.Hosts, "%+v, %+v", found, s) {
		assert.NoError(t, s.Err, "%+v, %+v", found, s)
	}
	// The pauses after partial and full loads bound the number of queries for any duration of the
	// test.
	n, most := queries.n.Load()-before, 2*int64(time.Since(start)/(10*time.Millisecond)+1)
	assert.GreaterOrEqual(t, n, int64(1), "%d queries in %v", n, time.Since(start))
	assert.LessOrEqual(t, n, most, "%d queries in %v", n, time.Since(start))
}

// Changes, full loads, reconnects, reads and misses run at the same time; at the end the directory
// has the content of the registry. Run it with -race.
func TestAllWaysOfLoadingAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const tenants, moves = 5, 40
	for i := range tenants {
		f.tenant(t, fmt.Sprintf("t%d", i), fmt.Sprintf("t%d.example.com", i), fmt.Sprintf("m%d.example.com", i))
	}
	p, url := newProxy(t, f)
	d := open(t, f.dbAt(t, url, nil), resolver.Config{
		Reconcile: 3 * time.Millisecond, MissBurst: 5, MissInterval: time.Millisecond, MissTimeout: 10 * time.Millisecond,
		BaseDomains: []string{"example.net"},
	})
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				host := fmt.Sprintf("t%d.example.com", i%tenants)
				assert.Equal(t, host[:2], slugOf(t, d, host), "%s is gone", host)
				slugOf(t, d, fmt.Sprintf("m%d.example.com", i%tenants)) // of a tenant
				slugOf(t, d, fmt.Sprintf("n%d.example.com", i))         // of no tenant
				d.Status()
			}
		})
	}
	for m := range 2 {
		writers.Go(func() {
			for i := range moves {
				f.exec(t, "update domains set tenant_id = (select id from tenants where slug = $1) where host = $2",
					fmt.Sprintf("t%d", i%tenants), fmt.Sprintf("m%d.example.com", m))
				if m == 0 && i%15 == 5 {
					p.drop(false)
				}
				if err := d.Refresh(t.Context()); err == nil {
					// Between the two only this goroutine moves the host.
					got := slugOf(t, d, fmt.Sprintf("m%d.example.com", m))
					assert.Equal(t, fmt.Sprintf("t%d", i%tenants), got, "m%d is %s's after its move to t%d", m, got, i%tenants)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	last := fmt.Sprintf("t%d", (moves-1)%tenants)
	eventually(t, "the last moves", func() bool {
		return slugOf(t, d, "m0.example.com") == last && slugOf(t, d, "m1.example.com") == last &&
			slugOf(t, d, "t1.example.net") == "t1"
	})
}
