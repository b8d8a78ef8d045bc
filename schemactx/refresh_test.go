package schemactx_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// If a unit of work has called Limits before Refresh, its result must not be used by later units.
func TestLimitsFromBeforeRefreshAreNotKept(t *testing.T) {
	t.Parallel()
	open := map[string]func(t *testing.T, cfg schemactx.Config) *schemactx.DB{
		"roles":  func(t *testing.T, cfg schemactx.Config) *schemactx.DB { return setup(t).open(t, cfg, 1) },
		"logins": func(t *testing.T, cfg schemactx.Config) *schemactx.DB { return loginDB(t, setup(t), cfg) },
	}
	for level, open := range open {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			var db *schemactx.DB
			asked := 0
			db = open(t, schemactx.Config{Limits: func(schema string) schemactx.Limits {
				if asked++; asked == 1 {
					db.Refresh(schema) // the limits change while the first unit of work begins
					return schemactx.Limits{StatementTimeout: time.Second}
				}
				return schemactx.Limits{StatementTimeout: time.Minute}
			}})
			for _, want := range []string{"1s", "1min", "1min"} {
				var got string
				require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select current_setting('statement_timeout')").Scan(&got))
				assert.Equal(t, want, got, "timeout")
			}
			assert.Equal(t, 2, asked, "asked for limits %d times, want 2", asked)
		})
	}
}

func TestRefreshLeavesATransactionItsConnection(t *testing.T) {
	t.Parallel()
	db := loginDB(t, setup(t), schemactx.Config{})
	ctx := in(t, "tenant_a")
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }() // in case the test fails
	_, err = tx.Exec(ctx, "update notes set body = 'changed'")
	require.NoError(t, err)
	db.Refresh("tenant_a")
	expectNote(t, ctx, db, "tenant_a") // a connection of the new pool
	expectNote(t, ctx, tx, "changed")
	require.NoError(t, tx.Commit(ctx))
	expectNote(t, ctx, db, "changed")
}
