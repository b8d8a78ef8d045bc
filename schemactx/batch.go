package schemactx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// SendBatch runs the statements of b in the schema of ctx, all in one transaction: if one fails,
// none has an effect. It costs one round trip, and a second one if statements have to be prepared.
// BEGIN and COMMIT of several statements travel in the same round trip. The results hold a
// connection until they are closed, so close them. Their methods return the error of sending. The
// results are not safe for concurrent use.
//
// [pgx.Batch.BeginTx] is refused like every BEGIN, because it would leave the transaction open
// after the batch.
func (db *DB) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	br := &batchResults{batch: b}
	br.unitOfWork = &br.alone
	if err := br.open(ctx, db); err != nil {
		return failedBatch{err}
	}
	br.guarded(func() { br.begin(ctx) })
	return br
}

// SendBatch runs the statements of b in the transaction. It costs round trips as [DB.SendBatch]
// does.
func (tx *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	st := tx.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := tx.check(ctx); err != nil {
		return failedBatch{err}
	}
	st.busy = true
	br := &batchResults{batch: b, unitOfWork: &st.unit, tx: st}
	br.guarded(func() { br.begin(ctx) })
	return br
}

// batchResults reads the results of a batch in order.
type batchResults struct {
	*unitOfWork
	alone     unitOfWork // the target of unitOfWork outside of a transaction
	tx        *txState
	ctx       context.Context // the context that the tracer returned
	batch     *pgx.Batch
	inputs    []input
	loaded    *schemaTypes                         // for its statements; nil if none needs types
	typed     []int                                // the statements that have types of the schema
	described map[int]*pgconn.StatementDescription // of unnamed statements whose arguments need it
	retried   bool                                 // encoded again after a stale type
	mrr       *pgconn.MultiResultReader
	next      int        // the result to read next
	current   *batchRows // the rows that are being read
	kind      sqlKind    // the kind of the statement that may leave most state behind
	err       error      // the first error
	closed    bool

	asserted bool // an assertion precedes the commit; see [txState.sendCommit]

	start beginning // the transaction's state before the batch, for sending it once more
	sent  int       // how many times it was sent again
	given bool      // the caller has received a result
}

var _ pgx.BatchResults = (*batchResults)(nil)

// guarded calls f, in which the caller's code may run. In a transaction the caller holds the
// transaction's lock.
func (br *batchResults) guarded(f func()) {
	done := false
	defer br.abandonUnless(&done)
	f()
	done = true
}

// locked calls f as guarded does, holding the transaction's lock if there is one.
func (br *batchResults) locked(f func()) {
	if br.tx != nil {
		br.tx.mu.Lock()
		defer br.tx.mu.Unlock()
	}
	br.guarded(f)
}

// abandonUnless abandons the unit of work unless *done is true, and ends the batch.
func (br *batchResults) abandonUnless(done *bool) {
	if !*done {
		br.closed, br.err = true, errAbandoned
		br.abandon()
	}
}

// begin sends the batch. If that fails, the results return the error.
func (br *batchResults) begin(ctx context.Context) {
	br.ctx, br.kind = ctx, kindRead
	if t := br.db.tracers.batch; t != nil {
		br.ctx = t.TraceBatchStart(ctx, br.conn, pgx.TraceBatchStartData{Batch: br.batch})
	}
	if len(br.batch.QueuedQueries) == 0 {
		return
	}
	br.start = br.tx.beginning()
	err := br.retryPrologue(br.ctx, br.tx, func() error { return br.send(br.ctx) })
	if err != nil && br.again(err, false) {
		br.state.forget(stmtKey{}, err) // key is empty: a failed internal statement may be the cause
		err = br.send(br.ctx)
	}
	if err != nil {
		br.err = err
		br.finish()
	}
}

// batchRows are the rows of one result of a batch.
type batchRows struct {
	rows
	br      *batchResults
	index   int
	started time.Time
}

// rowsClosed implements rowsOwner.
func (r *batchRows) rowsClosed(tag pgconn.CommandTag, err error) error {
	br := r.br
	br.current = nil
	br.adjustPosition(err, len(br.scope.comment))
	br.noteDDL(tag)
	switch sp := br.inputs[r.index].savepoint; {
	case err == nil && sp != nil:
		br.tx.applied(sp.savepointStatement, sp.at, sp.server)
	case err == nil && changesSession(tag):
		err = fmt.Errorf("%w: %s", ErrScopeChanged, tag)
	}
	if err != nil && br.err == nil {
		br.err = err
	}
	if t := br.db.tracers.batch; t != nil {
		c := &br.inputs[r.index]
		t.TraceBatchQuery(br.ctx, br.conn, pgx.TraceBatchQueryData{
			SQL: c.sql, Args: c.args, CommandTag: tag, Err: err, ReadStartTime: r.started,
		})
	}
	return err
}

// rowsAbandoned implements rowsOwner.
func (r *batchRows) rowsAbandoned() {
	done := false
	r.br.abandonUnless(&done)
}

// Query implements [pgx.BatchResults].
func (br *batchResults) Query() (pgx.Rows, error) {
	var r *batchRows
	var err error
	br.locked(func() {
		r, err = br.nextRows()
		br.given = br.given || err == nil
	})
	if err != nil {
		return failedRows{err}, err
	}
	return r, nil
}

func (br *batchResults) nextRows() (*batchRows, error) {
	if br.current != nil {
		br.current.close(nil) // unread rows would make pgx lose the position of the next result
	}
	switch {
	case br.err != nil:
		return nil, br.err
	case br.closed:
		return nil, errBatchClosed
	case br.next >= len(br.inputs):
		return nil, errors.New("no more results in batch")
	}
	r := &batchRows{br: br, index: br.next, started: time.Now()}
	br.next++
	err := br.advance(r.index)
	if err != nil && br.again(err, br.inputs[r.index].hit || len(br.typed) > 0) {
		for _, i := range br.typed { // all statements with types of the schema have the same problem
			br.state.cache.drop(stmtKey{br.scope.schema, br.inputs[i].sql})
		}
		err = br.resend(r.index)
	}
	if err != nil {
		br.err = err
		return nil, err
	}
	r.typeMap, r.loaded, r.rr, r.owner = br.mapFor(br.loaded), br.loaded, br.mrr.ResultReader(), r
	if !br.inputs[r.index].prepared() {
		br.noteFields(r.loaded, r.rr.FieldDescriptions())
	}
	if br.tx != nil {
		r.mu = &br.tx.mu
	}
	br.current = r
	return r, nil
}

// advance reads up to the result of statement i. Before it, it reads the assertion that follows a
// statement that may have changed the scope.
func (br *batchResults) advance(i int) error {
	if i > 0 && br.inputs[i-1].kind.mayChangeScope() {
		if _, err := nextResult(br.mrr)(); err != nil {
			if sqlstate.Is(err, sqlstate.DivisionByZero) {
				err = fmt.Errorf("%w: found in the batch, before statement %d ran", ErrScopeChanged, i+1)
			}
			return err
		}
	}
	if br.mrr.NextResult() {
		return nil
	}
	err := br.mrr.Close()
	br.adjustPosition(err, len(br.scope.comment))
	if err == nil {
		err = errors.New("schemactx: the batch has no more results")
	}
	br.forget(i, err)
	return err
}

var errBatchClosed = errors.New("batch already closed")

// Exec implements [pgx.BatchResults].
func (br *batchResults) Exec() (tag pgconn.CommandTag, err error) {
	br.locked(func() {
		tag, err = br.exec()
		br.given = br.given || err == nil
	})
	return tag, err
}

func (br *batchResults) exec() (pgconn.CommandTag, error) {
	r, err := br.nextRows()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	r.close(nil)
	br.forget(r.index, r.err)
	return r.tag, r.err
}

// QueryRow implements [pgx.BatchResults].
func (br *batchResults) QueryRow() pgx.Row {
	rows, err := br.Query()
	if err != nil {
		return failedRows{err}
	}
	return batchRow{rows}
}

type batchRow struct{ rows pgx.Rows }

// Scan implements [pgx.Row].
func (r batchRow) Scan(dest ...any) error {
	defer r.rows.Close()
	return scanFirst(r.rows, dest)
}

// Close implements [pgx.BatchResults].
func (br *batchResults) Close() error {
	for i := br.next; i < len(br.batch.QueuedQueries) && br.pending(); i++ {
		if fn := br.batch.QueuedQueries[i].Fn; fn == nil {
			br.locked(func() { _, _ = br.exec() }) // kept in br.err
		} else if err := br.callBack(fn); err != nil {
			br.note(err)
		}
	}
	br.locked(br.finish)
	return br.err
}

// callBack calls fn without the lock, because fn reads results with the methods of br.
func (br *batchResults) callBack(fn func(pgx.BatchResults) error) error {
	done := false
	defer func() {
		br.locked(func() { br.abandonUnless(&done) })
	}()
	err := fn(br)
	done = true
	return err
}

func (br *batchResults) pending() (pending bool) {
	br.locked(func() { pending = br.err == nil && !br.closed })
	return pending
}

func (br *batchResults) note(err error) {
	br.locked(func() {
		if br.err == nil {
			br.err = err
		}
	})
}

// Tx implements [pgx.BatchResults]. It returns nil, because a batch cannot begin a transaction.
func (br *batchResults) Tx() pgx.Tx { return nil }

// forget drops the prepared statement i if err says that it no longer fits.
func (br *batchResults) forget(i int, err error) {
	if err != nil {
		br.state.forget(stmtKey{br.scope.schema, br.inputs[i].sql}, err)
	}
}

// finish reads to the end of what was sent and returns the connection to the pool.
func (br *batchResults) finish() {
	if br.closed {
		return
	}
	br.closed = true
	if br.current != nil {
		br.current.close(nil)
	}
	var err error
	if br.mrr != nil {
		br.readSavepoints()
		if br.asserted && br.err == nil {
			br.err = br.readAsserted()
		}
		err = br.mrr.Close()
	}
	if br.kind != kindRefused {
		br.effectiveKinds() // again, because facts may have arrived with the batch
	}
	br.noteKind(br.kind)
	if br.err != nil {
		br.adjustPosition(br.err, len(br.scope.comment))
		br.state.forget(stmtKey{}, br.err) // no key: what err says about all statements
	}
	changed := errors.Is(br.err, ErrScopeChanged) && br.kind != kindRefused
	if br.tx == nil {
		if br.status() == 'E' {
			_ = br.rollback(br.ctx)
		}
		br.noteEnd()
		changed = changed || br.pathChanged()
	}
	if changed {
		br.destroy()
	}
	if br.err == nil {
		br.err = err
	}
	if br.err != nil {
		br.db.statementFailure(br.ctx, br.scope.schema, "", br.err)
	}
	br.db.statementEnd(br.ctx, br.scope.schema, len(br.batch.QueuedQueries), br.err)
	if br.tx != nil {
		br.err = br.tx.after(br.kind, br.err)
	}
	if t := br.db.tracers.batch; t != nil {
		t.TraceBatchEnd(br.ctx, br.conn, pgx.TraceBatchEndData{Err: br.err})
	}
	if br.tx == nil {
		br.release()
	}
}

// readAsserted reads the results that the caller has not read, and the assertion after them.
func (br *batchResults) readAsserted() error {
	for i := br.next; i < len(br.inputs); i++ {
		if err := br.advance(i); err != nil {
			return err
		}
		if _, err := br.mrr.ResultReader().Close(); err != nil {
			return err
		}
	}
	_, err := nextResult(br.mrr)()
	if sqlstate.Is(err, sqlstate.DivisionByZero) {
		err = fmt.Errorf("%w: found in the batch, before the commit", ErrScopeChanged)
	}
	return err
}

// failedBatch is the results of a batch that was not sent.
type failedBatch struct{ err error }

var _ pgx.BatchResults = failedBatch{}

func (b failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, b.err }
func (b failedBatch) Query() (pgx.Rows, error)         { return failedRows(b), b.err }
func (b failedBatch) QueryRow() pgx.Row                { return failedRows(b) }
func (b failedBatch) Close() error                     { return b.err }
func (b failedBatch) Tx() pgx.Tx                       { return nil }
