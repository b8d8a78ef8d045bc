package schemactx

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// prepareOne prepares one statement, see prepare, and tells the tracer, as pgx does for statements
// outside of a batch.
func (u *unitOfWork) prepareOne(ctx context.Context, tx *txState, sql string) (*pgconn.StatementDescription, error) {
	st := &stmt{key: stmtKey{u.scope.schema, sql}, name: u.state.cache.nextName(), age: u.scope.age}
	st.kind, st.named = u.kindOf(sql)
	t := u.db.tracers.prepare
	if t != nil {
		ctx = t.TracePrepareStart(ctx, u.conn, pgx.TracePrepareStartData{Name: st.name, SQL: sql})
	}
	err := u.prepare(ctx, tx, []*stmt{st})
	u.adjustPosition(err, len(u.scope.comment))
	if t != nil {
		t.TracePrepareEnd(ctx, u.conn, pgx.TracePrepareEndData{Err: err})
	}
	return st.sd, err
}

// prepare prepares statements on the server in the scope that they will run in, so that they use
// the tables and types of the schema. It also deallocates the statements that were dropped from the
// cache. It is one round trip for all of them. In a transaction that has not begun it sends BEGIN
// too.
func (u *unitOfWork) prepare(ctx context.Context, tx *txState, stmts []*stmt) error {
	return u.retryPrologue(ctx, tx, func() error { return u.tryPrepare(ctx, tx, stmts) })
}

func (u *unitOfWork) tryPrepare(ctx context.Context, tx *txState, stmts []*stmt) error {
	cs := u.state
	p := u.conn.PgConn().StartPipeline(ctx)
	prologue := u.preparePrologue(tx)
	for _, o := range prologue {
		p.SendQueryParams(o.sql, o.params, nil, nil, nil)
	}
	evicted := len(cs.cache.evicted)
	for _, name := range cs.cache.evicted {
		p.SendDeallocate(name)
	}
	var missing []string
	if !cs.preparedStale || prologue.has(stepDeallocate) { // else their names are still in use
		missing = u.missingInternal()
	}
	for _, sql := range missing {
		p.SendPrepare(internalName(sql), sql, nil)
	}
	for _, st := range stmts {
		p.SendPrepare(st.name, u.text(st.key.sql), nil)
	}
	err := p.Sync()
	if err == nil {
		err = u.readPrepared(p, tx, evicted, missing, prologue, stmts)
	}
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		u.unprepare(ctx, stmts)
		return err
	}
	if tx == nil {
		u.noteEnd()
	}
	for _, st := range stmts {
		st.sd.Name, st.sd.SQL = st.name, st.key.sql // the server's response contains neither
		u.db.stats.evicted.Add(int64(cs.cache.put(st)))
	}
	return nil
}

// unprepare deallocates the statements that were prepared before another one in their pipeline
// failed. A prepared statement outlives the transaction, and the cache does not know its name.
// unprepare closes the connection if it fails.
func (u *unitOfWork) unprepare(ctx context.Context, stmts []*stmt) {
	prepared := slices.DeleteFunc(slices.Clone(stmts), func(st *stmt) bool { return st.sd == nil })
	if len(prepared) == 0 || u.conn.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	p := u.conn.PgConn().StartPipeline(ctx)
	for _, st := range prepared {
		p.SendDeallocate(st.name) // the server does that in a failed transaction as well
		st.sd = nil
	}
	err := p.Sync()
	if closeErr := p.Close(); err != nil || closeErr != nil {
		u.destroy()
	}
}

// missingInternal returns the internal statements that the connection has not prepared yet.
func (u *unitOfWork) missingInternal() []string {
	var missing []string
	for _, sql := range append([]string{u.scope.sql, beginSQL, commitSQL, settingsSQL, fingerprintSQL}, scrubSQL...) {
		if sql == settingsSQL && (u.settings == nil || u.scope.login) {
			continue
		}
		if u.state.internal[sql] == nil {
			missing = append(missing, sql)
		}
	}
	return missing
}

// readPrepared reads the results of the prologue, of the evicted statements, of the missing
// internal statements and of stmts, in this order.
func (u *unitOfWork) readPrepared(
	p *pgconn.Pipeline, tx *txState, evicted int, missing []string, prologue prologue, stmts []*stmt,
) error {
	err := prologue.read(u, tx, func() ([][][]byte, error) {
		rr, err := result[*pgconn.ResultReader](p)
		if err != nil {
			return nil, err
		}
		r := rr.Read()
		return r.Rows, r.Err
	})
	if err != nil {
		return err
	}
	for range evicted {
		if _, err := result[*pgconn.CloseComplete](p); err != nil {
			return err
		}
	}
	u.state.cache.evicted = nil
	for _, sql := range missing {
		sd, err := result[*pgconn.StatementDescription](p)
		if err != nil {
			return err
		}
		sd.Name, sd.SQL = internalName(sql), sql
		u.state.internal[sql] = sd
	}
	for _, st := range stmts {
		if st.sd, err = result[*pgconn.StatementDescription](p); err != nil {
			return err
		}
	}
	return nil
}

// result reads the next result of a pipeline, which must be a T.
func result[T any](p *pgconn.Pipeline) (T, error) {
	res, err := p.GetResults()
	if err != nil {
		var none T
		return none, err
	}
	t, ok := res.(T)
	if !ok {
		return t, fmt.Errorf("schemactx: expected %T from the server, got %T", t, res)
	}
	return t, nil
}

// describe returns the description of a statement without keeping it. It is for connections that
// must not have named statements.
func (u *unitOfWork) describe(
	ctx context.Context,
	tx *txState,
	sql string,
) (sd *pgconn.StatementDescription, err error) {
	err = u.retryPrologue(ctx, tx, func() error {
		sd, err = u.tryDescribe(ctx, tx, sql)
		return err
	})
	return sd, err
}

func (u *unitOfWork) tryDescribe(ctx context.Context, tx *txState, sql string) (*pgconn.StatementDescription, error) {
	p := u.conn.PgConn().StartPipeline(ctx)
	prologue := u.preparePrologue(tx)
	for _, o := range prologue {
		p.SendQueryParams(o.sql, o.params, nil, nil, nil)
	}
	p.SendPrepare("", u.text(sql), nil)
	err := p.Sync()
	var sd *pgconn.StatementDescription
	if err == nil {
		err = u.readPrepared(p, tx, 0, nil, prologue, nil)
	}
	if err == nil {
		sd, err = result[*pgconn.StatementDescription](p)
	}
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	if err == nil && tx == nil {
		u.noteEnd()
	}
	return sd, err
}
