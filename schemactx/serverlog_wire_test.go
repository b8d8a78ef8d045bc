package schemactx_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// The name of the tenant costs no round trip and no message. In a transaction the server reports
// the new name once and the old one at the end, with ParameterStatus ('S').
func TestTheNameCostsNoRoundTrip(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	messages := func(name string, cfg schemactx.Config) (alone, inTx traffic) {
		t.Helper()
		cfg.Roles = w.roles
		db, err := schemactx.New(w.pool, cfg)
		require.NoError(t, err)
		ctx := in(t, "tenant_a")
		sql := "select body from notes where id = $1 -- " + name // new to the connection
		run := func() error { return statements["Exec"](ctx, db, sql, 1) }
		transaction := func() error {
			return db.InTx(ctx, func(tx pgx.Tx) error {
				for range 2 {
					if _, err := tx.Exec(ctx, sql, 1); err != nil {
						return err
					}
				}
				return nil
			})
		}
		for range 2 {
			require.NoError(t, run()) // cold, also the scope statement
			require.NoError(t, transaction())
		}
		alone, err = w.proxy.during(run)
		require.NoError(t, err)
		inTx, err = w.proxy.during(transaction)
		require.NoError(t, err)
		return alone, inTx
	}
	plain, plainTx := messages("plain", schemactx.Config{})
	id := func(context.Context) string { return "r1" }
	for name, c := range map[string]struct {
		cfg    schemactx.Config
		status int // additional messages of this kind in a transaction
	}{
		"name":    {schemactx.Config{ServerLog: schemactx.ServerLogApplicationName}, 2},
		"request": {schemactx.Config{ServerLog: schemactx.ServerLogApplicationName, RequestID: id}, 2},
		"comment": {schemactx.Config{ServerLog: schemactx.ServerLogComment}, 0},
	} {
		alone, inTx := messages(name, c.cfg)
		assert.Equal(t, plain.String(), alone.String(), "%s: %s\nwithout: %s", name, alone, plain)
		inTx.server['S'] -= c.status
		if inTx.server['S'] == 0 {
			delete(inTx.server, 'S')
		}
		assert.Equal(t, plainTx.String(), inTx.String(),
			"%s, in a transaction, without %d reports: %s\nwithout: %s", name, c.status, inTx, plainTx)
	}
}
