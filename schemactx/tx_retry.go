package schemactx

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// TxOptions are the options of [DB.InTxOptions].
type TxOptions struct {
	pgx.TxOptions

	// Settings hold in the transaction, until it has ended, with those of [WithSettings] in ctx; where
	// both have a name, these win. See there for what they can be. Default: none.
	Settings map[string]string

	// MaxRetries is how many times the transaction is run again, from its beginning, after a
	// serialization failure (40001) or a deadlock (40P01), whether a statement or the commit met it,
	// and after a prepared statement that a migration has made stale (0A000, "cached plan must not
	// change result type"; 26000): see [DB.Refresh]. Before each retry it waits a random time of up to
	// 10 ms, doubled with each retry up to 1 s; when ctx ends meanwhile there is none. Default: 0,
	// never.
	MaxRetries int
}

// InTx runs fn in a transaction in the schema of ctx: it commits when fn returns nil and rolls back
// when fn returns an error, panics or calls [runtime.Goexit]. fn must not commit or roll back tx
// itself; a transaction that fn's statements have ended is [ErrTransactionEnded]. The error is fn's
// own, or that of the beginning or the commit. Statements in fn need a context of the same schema,
// such as ctx. The commit runs under ctx; the rollback does not depend on it. n statements cost n+1
// round trips.
func (db *DB) InTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return db.InTxOptions(ctx, TxOptions{}, fn)
}

// InTxOptions is [DB.InTx] with options. With MaxRetries fn may run several times: what it does
// outside of the transaction must bear that, and it must return the errors of its statements,
// wrapped or not, for them to be seen. The error is that of the last run.
func (db *DB) InTxOptions(ctx context.Context, opts TxOptions, fn func(tx pgx.Tx) error) error {
	for retry := 0; ; retry++ {
		err := db.inTx(ctx, opts, fn)
		if retry >= opts.MaxRetries || !retryable(err) || !sleep(ctx, backoff(retry)) {
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

func backoff(retry int) time.Duration {
	return rand.N(min(10*time.Millisecond<<min(retry, 10), time.Second))
}

// sleep waits, or reports false when ctx is over first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
