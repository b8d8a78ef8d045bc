package attacktest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/schemactx"
)

// preparePooler skips t or fails it if there is no PgBouncer.
func preparePooler(t *testing.T, _ *world) { poolertest.Binary(t) }

// openPooler starts a new PgBouncer for each attack, with conns server connections for all clients,
// so that no attack finds state that another has left on one. Each tenant has its own DB, as in two
// processes, so that neither DB knows what the other has done to a connection.
func openPooler(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB {
	return openThrough(t, w, conns)
}

// openResettingPooler is openPooler with the setting that ATTACKS.md advises.
func openResettingPooler(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB {
	return openThrough(t, w, conns, "server_reset_query_always = 1")
}

func openThrough(t *testing.T, w *world, conns int32, settings ...string) func(context.Context) *schemactx.DB {
	t.Helper()
	url := poolertest.Start(t, w.pg.URLAs(w.roles.Runtime(), runtimePassword), int(conns), settings...)
	b := w.single(t, url, conns, schemactx.Config{})
	others := w.single(t, url, conns, schemactx.Config{})
	return func(ctx context.Context) *schemactx.DB {
		if schema, _ := schemactx.FromContext(ctx); schema == "tenant_b" {
			return b(ctx)
		}
		return others(ctx)
	}
}

// In the column for PgBouncer all clients share one server connection, and the package works on it.
func TestPgBouncerSharesOneConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &column{level: schemactx.Roles, shared: true, prepare: preparePooler, open: openPooler})
	db := w.open(t, 1)
	pids := map[int]bool{}
	for schema, secret := range map[string]string{"tenant_a": w.secretA, "tenant_b": w.secretB} {
		ctx := schemactx.NewContext(t.Context(), schema)
		var body string
		var pid int
		require.NoError(t, db(ctx).QueryRow(ctx, "select body, pg_backend_pid() from secrets").Scan(&body, &pid))
		assert.Equal(t, secret, body, schema)
		pids[pid] = true
	}
	assert.Len(t, pids, 1, "two clients are served by one backend")
}

// With the setting that ATTACKS.md advises, no state that a client's statement leaves on the
// pooler's connection reaches the next client.
func TestPgBouncerThatResetsItsConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &column{
		name: "PgBouncer that resets", level: schemactx.Roles, shared: true, hardened: true,
		prepare: preparePooler, open: openResettingPooler,
	})
	tried := 0
	for i := range attacks {
		if attacks[i].reset {
			tried++
			assert.NotEqual(t, leaks, w.attack(t, &attacks[i]), "%d %s", attacks[i].row, attacks[i].title)
		}
	}
	assert.NotZero(t, tried, "no attack is said to be stopped by it")
}
