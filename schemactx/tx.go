package schemactx

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tx is a transaction in one schema, or a savepoint of one. It is the [pgx.Tx] that [DB.Begin] and
// [DB.InTx] provide. Its methods need a context of that schema. They return [ErrSchemaMismatch] for
// another schema and [ErrNoSchema] for none. Like every pgx.Tx it runs one statement at a time, so
// close rows first. While a statement runs or has open rows, another one returns [ErrTxBusy], from
// any goroutine.
//
// The statements SAVEPOINT, ROLLBACK TO and RELEASE, which object-relational mappers send as text,
// work as in PostgreSQL, alone and in batches. SAVEPOINT costs no round trip. These statements and
// [Tx.Begin] share one stack. Releasing a savepoint or rolling back to it ends the savepoints that
// Begin made inside of it; their methods then return [pgx.ErrTxClosed]. For a name that does not
// exist the server returns an error (3B001). Tx.Prepare and [DB.SendBatch] refuse these statements.
type Tx struct {
	state     *txState
	parent    *Tx    // nil for the transaction itself
	savepoint string // "" for the transaction itself
	done      bool
}

var _ pgx.Tx = (*Tx)(nil)

// Begin starts a transaction in the schema of ctx. It takes a connection and costs no round trip.
// BEGIN and the scope are sent with the first statement, so n statements and the commit cost n+1
// round trips. A schema that does not exist is an error of the first statement. ctx does not govern
// the transaction afterwards. End it with Commit or Rollback; [DB.InTx] does both. The result is a
// [*Tx].
func (db *DB) Begin(ctx context.Context) (pgx.Tx, error) {
	return db.BeginTx(ctx, pgx.TxOptions{})
}

// BeginTx is [DB.Begin] with options. It refuses BeginQuery and CommitQuery, because they could
// leave the scope.
func (db *DB) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	tx, err := db.begin(ctx, TxOptions{TxOptions: opts})
	if err != nil {
		return nil, err
	}
	return tx, nil
}

func (db *DB) begin(ctx context.Context, opts TxOptions) (*Tx, error) {
	sql, err := beginSQLOf(opts.TxOptions)
	if err != nil {
		return nil, err
	}
	st := &txState{begin: sql, outer: settingsOf(ctx)}
	if len(opts.Settings) > 0 {
		ctx = WithSettings(ctx, opts.Settings)
	}
	if err := st.unit.open(ctx, db); err != nil {
		return nil, err
	}
	st.unit.txn = st
	return &Tx{state: st}, nil
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

// Query runs one statement in the transaction and returns its rows, which must be closed before the
// next statement. See [DB.Query] for its options.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s, err := tx.query(ctx, sql, args)
	if err != nil {
		return failedRows{err}, err
	}
	return s, nil
}

// QueryRow runs one statement in the transaction and returns its first row.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	s, err := tx.query(ctx, sql, args)
	if err != nil {
		return failedRows{err}
	}
	return (*firstRow)(s)
}

func (tx *Tx) query(ctx context.Context, sql string, args []any) (*statement, error) {
	st := tx.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := tx.check(ctx); err != nil {
		return nil, err
	}
	s := &statement{unitOfWork: &st.unit, tx: st}
	s.mu = &st.mu
	st.busy = true
	done := false
	defer s.abandonUnless(&done)
	err := s.run(ctx, st.named(sql), args)
	done = true
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Prepare prepares a statement in the transaction's schema. Until the transaction ends, [Tx.Query]
// and the other methods accept its name in place of its SQL. It is not needed for speed: every
// statement is prepared when it is used for the first time.
func (tx *Tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	st := tx.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := tx.check(ctx); err != nil {
		return nil, err
	}
	done := false
	defer st.unit.abandonUnless(&done)
	sd, err := st.prepare(ctx, name, sql)
	done = true
	return sd, err
}

func (st *txState) prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	kind, _ := st.unit.kindOf(sql)
	if err := kind.refusal(sql); err != nil {
		return nil, st.after(kind, err)
	}
	cached := st.unit.prepared(sql)
	if cached == nil {
		if _, err := st.unit.prepareOne(ctx, st, sql); err != nil {
			return nil, st.after(kind, err)
		}
		cached = st.unit.prepared(sql)
		st.worked = true // savepoints may have been sent
	}
	if st.names == nil {
		st.names = make(map[string]string)
	}
	st.names[name] = sql
	return cached.sd, nil
}

// Begin makes a savepoint, which [pgx.Tx] treats as a nested transaction. It costs no round trip:
// the savepoint is sent with the next statement.
func (tx *Tx) Begin(ctx context.Context) (pgx.Tx, error) {
	tx.state.mu.Lock()
	defer tx.state.mu.Unlock()
	if err := tx.check(ctx); err != nil {
		return nil, err
	}
	inner := &Tx{state: tx.state, parent: tx}
	inner.savepoint = tx.state.newSavepoint("", inner)
	return inner, nil
}

// Commit commits the transaction, or releases the savepoint. It returns [pgx.ErrTxCommitRollback]
// if a statement has failed and the transaction was rolled back, [pgx.ErrTxClosed] if the
// transaction has already ended, and [ErrTransactionEnded] if one of its statements ended it.
func (tx *Tx) Commit(ctx context.Context) error {
	tx.state.mu.Lock()
	defer tx.state.mu.Unlock()
	if err := tx.check(ctx); err != nil {
		return err
	}
	tx.done = true
	done := false
	defer tx.state.unit.abandonUnless(&done)
	err := tx.end(ctx)
	done = true
	return err
}

func (tx *Tx) end(ctx context.Context) error {
	if tx.parent != nil {
		return tx.state.release(ctx, tx.savepoint)
	}
	return tx.state.commit(ctx)
}

// Rollback rolls back the transaction, or rolls back to the savepoint. It returns [pgx.ErrTxClosed]
// if the transaction has already ended, so it can be deferred. ctx needs no schema.
func (tx *Tx) Rollback(ctx context.Context) error {
	if tx.parent != nil {
		return tx.rollbackSavepoint(ctx)
	}
	tx.state.lockForEnd()
	defer tx.state.mu.Unlock()
	if tx.over() {
		return pgx.ErrTxClosed
	}
	tx.done = true
	done := false
	defer tx.state.unit.abandonUnless(&done)
	err := tx.state.rollback(ctx)
	done = true
	return err
}

func (tx *Tx) rollbackSavepoint(ctx context.Context) error {
	tx.state.mu.Lock()
	defer tx.state.mu.Unlock()
	switch {
	case tx.over():
		return pgx.ErrTxClosed
	case tx.state.busy:
		return ErrTxBusy
	}
	tx.done = true
	done := false
	defer tx.state.unit.abandonUnless(&done)
	err := tx.state.rollbackTo(ctx, tx.savepoint)
	done = true
	return err
}

// abandon rolls back a transaction that has not ended, independently of the caller's context.
func (tx *Tx) abandon() { _ = tx.Rollback(context.Background()) }

// LargeObjects panics with [ErrLargeObjects]. Large objects belong to the database and to no
// schema, so neither a search path nor the backup of a schema includes them. Use bytea columns or
// files instead.
func (tx *Tx) LargeObjects() pgx.LargeObjects { panic(ErrLargeObjects) }

// Conn returns nil, because a connection must not be used outside of its scope.
func (tx *Tx) Conn() *pgx.Conn { return nil }

// over reports whether the transaction, this savepoint, or a savepoint around it has ended.
func (tx *Tx) over() bool {
	for t := tx; t != nil; t = t.parent {
		if t.done {
			return true
		}
	}
	return tx.state.over
}

// check refuses a context with another schema or with other settings, a transaction that has ended,
// and a second statement at a time.
func (tx *Tx) check(ctx context.Context) error {
	current := tx.state.unit.scope.schema
	schema, err := schemaOf(scopeContextOf(ctx))
	switch {
	case err != nil:
		return err
	case schema != current:
		return fmt.Errorf("%w: transaction in %q, context of %q", ErrSchemaMismatch, current, schema)
	case !tx.state.sameSettings(settingsOf(ctx)):
		return ErrSettingsMismatch
	case tx.over():
		return cmp.Or(tx.state.err, pgx.ErrTxClosed)
	case tx.state.busy:
		return ErrTxBusy
	}
	return nil
}

func beginSQLOf(opts pgx.TxOptions) (string, error) {
	if opts.BeginQuery != "" || opts.CommitQuery != "" {
		return "", errors.New("schemactx: BeginQuery and CommitQuery could leave the scope and are not supported")
	}
	sql := beginSQL
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
