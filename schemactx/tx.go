package schemactx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// rollbackTimeout bounds a rollback and the closing of a connection, which go on when the
// caller's context is over.
const rollbackTimeout = 5 * time.Second

// Tx is a transaction in one schema. Its methods need a context of that schema; any other
// is [ErrSchemaMismatch], and one without a schema [ErrNoSchema]. Like [pgx.Tx] it is not
// safe for concurrent use and can run one statement at a time: close rows first.
type Tx struct {
	unit *unit
	done bool
	err  error // what later calls get; pgx.ErrTxClosed unless a statement ended it
}

// Begin starts a transaction in the schema of ctx, in one round trip. ctx does not govern
// the transaction afterwards. End it with [Tx.Commit] or [Tx.Rollback]; [DB.InTx] does both.
func (db *DB) Begin(ctx context.Context) (*Tx, error) {
	return db.BeginTx(ctx, pgx.TxOptions{})
}

// BeginTx is [DB.Begin] with options. BeginQuery and CommitQuery are refused: they could
// leave the scope.
func (db *DB) BeginTx(ctx context.Context, opts pgx.TxOptions) (*Tx, error) {
	begin, err := beginSQL(opts)
	if err != nil {
		return nil, err
	}
	u, err := db.newUnit(ctx)
	if err != nil {
		return nil, err
	}
	tx := &Tx{unit: u}
	u.tx = tx
	if err := tx.begin(ctx, begin); err != nil {
		tx.abandon()
		return nil, err
	}
	return tx, nil
}

// begin sends BEGIN and the scope in one round trip.
func (tx *Tx) begin(ctx context.Context, begin string) error {
	p := tx.unit.conn.PgConn().StartPipeline(ctx)
	p.SendQueryParams(begin, nil, nil, nil, nil)
	tx.unit.sendScope(p, tx.unit.state)
	if err := p.Sync(); err != nil {
		return err
	}
	rr, err := result[*pgconn.ResultReader](p)
	if err == nil {
		_, err = rr.Close()
	}
	if err == nil {
		err = tx.unit.readScope(p)
	}
	return closePipeline(p, err)
}

// InTx runs fn in a transaction in the schema of ctx: it commits when fn returns nil and
// rolls back when fn returns an error, panics or calls [runtime.Goexit]. fn must not commit
// or roll back tx itself; a transaction that fn's statements have ended is
// [ErrTransactionEnded]. The rollback does not depend on ctx.
func (db *DB) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	return db.InTxOptions(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions is [DB.InTx] with the options of [DB.BeginTx].
func (db *DB) InTxOptions(ctx context.Context, opts pgx.TxOptions, fn func(tx *Tx) error) error {
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer tx.abandon()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// Exec runs one statement in the transaction and returns its command tag.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// Query runs one statement in the transaction and returns its rows, which must be closed
// before the next statement. See [DB.Query] for its options.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := tx.check(ctx); err != nil {
		return failedRows{err}, err
	}
	u := *tx.unit // rows end a unit of their own
	rows, err := u.query(ctx, sql, args)
	if err != nil {
		err = tx.afterStatement(err)
		return failedRows{err}, err
	}
	return rows, nil
}

// QueryRow runs one statement in the transaction and returns its first row.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, _ := tx.Query(ctx, sql, args...) // the error is in rows too
	return row{rows}
}

// Commit commits the transaction. It returns [pgx.ErrTxCommitRollback] when a statement has
// failed, so that there was nothing left to commit, [pgx.ErrTxClosed] when the transaction
// is over, and [ErrTransactionEnded] when one of its statements ended it.
func (tx *Tx) Commit(ctx context.Context) error {
	if err := tx.check(ctx); err != nil {
		return err
	}
	defer tx.abandon()
	switch tx.unit.conn.PgConn().TxStatus() {
	case 'T':
	case 'E':
		return pgx.ErrTxCommitRollback
	default:
		tx.unit.destroy()
		return ErrTransactionEnded
	}
	results, err := tx.unit.conn.PgConn().Exec(ctx, "commit").ReadAll()
	if err != nil {
		return err
	}
	if tag := results[0].CommandTag.String(); tag != "COMMIT" {
		return fmt.Errorf("%w: %s", pgx.ErrTxCommitRollback, tag)
	}
	return nil
}

// Rollback takes the transaction back. It returns [pgx.ErrTxClosed] when the transaction is
// over already, so that it can be deferred.
func (tx *Tx) Rollback(ctx context.Context) error {
	if tx.done {
		return pgx.ErrTxClosed
	}
	defer tx.unit.release()
	tx.done = true
	if _, err := tx.unit.conn.PgConn().Exec(ctx, "rollback").ReadAll(); err != nil {
		tx.unit.destroy()
		return err
	}
	return nil
}

// abandon rolls back a transaction that is not over, whatever has become of the caller's
// context. A connection that cannot do it is closed, and the server rolls back.
func (tx *Tx) abandon() {
	if tx.done {
		return
	}
	if tx.unit.conn.PgConn().TxStatus() == 'I' {
		tx.done = true
		tx.unit.release()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// check refuses a context of another schema and a transaction that is over.
func (tx *Tx) check(ctx context.Context) error {
	sc, err := tx.unit.db.scope(ctx)
	switch {
	case err != nil:
		return err
	case sc.schema != tx.unit.scope.schema:
		return fmt.Errorf("%w: transaction in %q, context of %q", ErrSchemaMismatch, tx.unit.scope.schema, sc.schema)
	case tx.done:
		return cmp.Or(tx.err, pgx.ErrTxClosed)
	}
	return nil
}

// afterStatement sees to it that nothing runs outside of the scope once a statement has
// ended the transaction. err is the statement's own error.
func (tx *Tx) afterStatement(err error) error {
	status := tx.unit.conn.PgConn().TxStatus()
	inside := status == 'T' || status == 'E'
	changed := errors.Is(err, ErrScopeChanged)
	if tx.done || inside && !changed {
		return err
	}
	tx.unit.destroy()
	tx.done = true
	tx.unit.release()
	if err == nil {
		tx.err = ErrTransactionEnded
	} else if changed {
		tx.err = fmt.Errorf("%w: %w", ErrTransactionEnded, err)
	}
	return cmp.Or(tx.err, err)
}

func beginSQL(opts pgx.TxOptions) (string, error) {
	if opts.BeginQuery != "" || opts.CommitQuery != "" {
		return "", errors.New("schemactx: BeginQuery and CommitQuery could leave the scope and are not supported")
	}
	sql := "begin"
	switch opts.IsoLevel {
	case "":
	case pgx.Serializable, pgx.RepeatableRead, pgx.ReadCommitted, pgx.ReadUncommitted:
		sql += " isolation level " + string(opts.IsoLevel)
	default:
		return "", fmt.Errorf("schemactx: unknown isolation level %q", opts.IsoLevel)
	}
	switch opts.AccessMode {
	case "":
	case pgx.ReadOnly, pgx.ReadWrite:
		sql += " " + string(opts.AccessMode)
	default:
		return "", fmt.Errorf("schemactx: unknown access mode %q", opts.AccessMode)
	}
	switch opts.DeferrableMode {
	case "":
	case pgx.Deferrable, pgx.NotDeferrable:
		sql += " " + string(opts.DeferrableMode)
	default:
		return "", fmt.Errorf("schemactx: unknown deferrable mode %q", opts.DeferrableMode)
	}
	return sql, nil
}
