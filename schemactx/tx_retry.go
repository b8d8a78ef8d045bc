package schemactx

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"
	"github.com/oryne/pgtenant/internal/wait"
)

// The wait before the first retry of a transaction, which doubles up to the last.
const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = time.Second
)

// TxOptions are the options of [DB.InTxOptions].
type TxOptions struct {
	pgx.TxOptions

	// Settings apply in the transaction until it ends, together with those of [WithSettings] in ctx.
	// For a name in both, these win. [WithSettings] says which settings are allowed. Default: none.
	Settings map[string]string

	// MaxRetries is how many times the transaction is run again from its beginning. It is run again if
	// a statement or the commit returned a serialization failure (40001) or a deadlock (40P01). It is
	// also run again if a migration has made a prepared statement stale (0A000, "cached plan must not
	// change result type"; 26000): see [DB.Refresh]. Before each retry there is a random wait of up to
	// 10 ms, doubled with each retry up to 1 s. If ctx ends meanwhile, there is no retry. Default: 0,
	// no retries.
	MaxRetries int
}

// InTx runs fn in a transaction in the schema of ctx. It commits if fn returns nil, and rolls back
// if fn returns an error, panics or calls [runtime.Goexit]. fn must not commit or roll back tx
// itself; if fn's statements have ended the transaction, the error is [ErrTransactionEnded]. InTx
// returns the error of fn, of the beginning or of the commit. Statements in fn need a context with
// the same schema, such as ctx. ctx governs the commit but not the rollback. n statements cost n+1
// round trips.
func (db *DB) InTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return db.InTxOptions(ctx, TxOptions{}, fn)
}

// InTxOptions is [DB.InTx] with options. With MaxRetries fn may run several times. So its effects
// outside of the transaction must allow that, and it must return the errors of its statements,
// wrapped or not, so that InTxOptions sees them. InTxOptions returns the error of the last run.
func (db *DB) InTxOptions(ctx context.Context, opts TxOptions, fn func(tx pgx.Tx) error) error {
	for retry := 0; ; retry++ {
		err := db.inTx(ctx, opts, fn)
		if retry >= opts.MaxRetries || !retryable(err) || !wait.Sleep(ctx, wait.Backoff(retry, firstRetry, lastRetry)) {
			return err
		}
		db.stats.retries.Add(1)
	}
}

func (db *DB) inTx(ctx context.Context, opts TxOptions, fn func(tx pgx.Tx) error) error {
	tx, err := db.begin(ctx, opts)
	if err != nil {
		return err
	}
	defer tx.abandon()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// retryable reports whether the transaction may succeed when it is run again.
func retryable(err error) bool {
	return sqlstate.Is(err, sqlstate.SerializationFailure) || sqlstate.Is(err, sqlstate.Deadlock) ||
		planChanged(err) || sqlstate.Is(err, sqlstate.InvalidStatement)
}
