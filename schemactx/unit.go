package schemactx

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// unit is one unit of work on a connection: a statement with a scope of its own, or, with
// tx set, a statement of a transaction.
type unit struct {
	db       *DB
	lease    *pgxpool.Conn // nil once given back
	conn     *pgx.Conn     // stays, so that rows kept too long find a connection of their own, closed
	state    *connState
	scope    *scope
	tx       *Tx
	pipeline *pgconn.Pipeline // of the statement that runs
	key      stmtKey          // of the statement that runs, if it is prepared
}

// newUnit borrows a connection for a unit of work in the scope of ctx.
func (db *DB) newUnit(ctx context.Context) (*unit, error) {
	sc, err := db.scope(ctx)
	if err != nil {
		return nil, err
	}
	lease, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	conn := lease.Conn()
	return &unit{db: db, lease: lease, conn: conn, state: stateOf(conn.PgConn(), db.cfg.StatementCacheCapacity), scope: sc}, nil
}

// query sends the statement and returns its rows once the server has taken it.
func (u *unit) query(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	c, err := newCall(ctx, u.conn, u.db.mode, sql, args)
	if err != nil {
		return nil, err
	}
	rr, err := u.start(ctx, c)
	if u.tx == nil && u.key != (stmtKey{}) && staleStatement(err) {
		// The server refused it before it did anything, and start has forgotten it.
		rr, err = u.start(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	return &rows{Rows: pgx.RowsFromResultReader(u.conn.TypeMap(), rr), unit: u}, nil
}

// start sends one statement, prepared or not, behind its scope.
func (u *unit) start(ctx context.Context, c *call) (*pgconn.ResultReader, error) {
	cs := u.state
	u.key = stmtKey{}
	var sd *pgconn.StatementDescription
	if c.prepared() {
		u.key = stmtKey{u.scope.schema, c.sql}
		if sd = cs.get(u.key); sd == nil {
			var err error
			if sd, err = u.prepare(ctx, cs); err != nil {
				return nil, err
			}
			cs.put(u.key, sd)
		}
	}
	if err := c.build(u.conn.TypeMap(), &cs.eqb, sd); err != nil {
		return nil, err
	}
	rr, err := u.send(ctx, c, cs, sd)
	u.forgetAfter(err)
	return rr, err
}

// send puts the scope, the statement and Sync on the wire together and reads as far as the
// statement's own result. In a transaction the scope is there already.
func (u *unit) send(ctx context.Context, c *call, cs *connState, sd *pgconn.StatementDescription) (*pgconn.ResultReader, error) {
	p := u.conn.PgConn().StartPipeline(ctx)
	u.pipeline = p
	if u.tx == nil {
		u.sendScope(p, cs)
	}
	if sd == nil {
		p.SendQueryParams(c.sql, cs.eqb.ParamValues, nil, cs.eqb.ParamFormats, c.results)
	} else {
		p.SendQueryStatement(sd, cs.eqb.ParamValues, cs.eqb.ParamFormats, c.results)
	}
	if err := p.Sync(); err != nil {
		return nil, err
	}
	if u.tx == nil {
		if err := u.readScope(p); err != nil {
			return nil, closePipeline(p, err)
		}
	}
	rr, err := result[*pgconn.ResultReader](p)
	if err != nil {
		return nil, closePipeline(p, err)
	}
	return rr, nil
}

// prepare makes a statement of u.key on the server, in the scope that it will run in, and
// deallocates those that had to go. It costs one round trip.
func (u *unit) prepare(ctx context.Context, cs *connState) (*pgconn.StatementDescription, error) {
	p := u.conn.PgConn().StartPipeline(ctx)
	evicted := len(cs.evicted)
	for _, name := range cs.evicted {
		p.SendDeallocate(name)
	}
	newScope := u.tx == nil && !cs.scopes[u.scope.sql]
	if newScope {
		p.SendPrepare(u.scope.statementName(), u.scope.sql, nil)
	}
	if u.tx == nil {
		p.SendQueryPrepared(u.scope.statementName(), u.scope.params, nil, nil)
	}
	name := cs.nextName()
	p.SendPrepare(name, u.key.sql, nil)
	if err := p.Sync(); err != nil {
		return nil, err
	}
	sd, err := u.readPrepare(p, cs, evicted, newScope)
	if err = closePipeline(p, err); err != nil {
		return nil, err
	}
	sd.Name, sd.SQL = name, u.key.sql
	return sd, nil
}

func (u *unit) readPrepare(p *pgconn.Pipeline, cs *connState, evicted int, newScope bool) (*pgconn.StatementDescription, error) {
	for range evicted {
		if _, err := result[*pgconn.CloseComplete](p); err != nil {
			return nil, err
		}
	}
	cs.evicted = nil
	if newScope {
		if _, err := result[*pgconn.StatementDescription](p); err != nil {
			return nil, err
		}
		cs.scopes[u.scope.sql] = true
	}
	if u.tx == nil {
		if err := u.readScope(p); err != nil {
			return nil, err
		}
	}
	return result[*pgconn.StatementDescription](p)
}

// sendScope queues the scope statement, prepared where the connection knows it.
func (u *unit) sendScope(p *pgconn.Pipeline, cs *connState) {
	if cs.scopes[u.scope.sql] {
		p.SendQueryPrepared(u.scope.statementName(), u.scope.params, nil, nil)
		return
	}
	p.SendQueryParams(u.scope.sql, u.scope.params, nil, nil, nil)
}

// readScope reads the answer to sendScope.
func (u *unit) readScope(p *pgconn.Pipeline) error {
	rr, err := result[*pgconn.ResultReader](p)
	if err == nil {
		_, err = rr.Close()
	}
	if err != nil {
		return u.scope.refused(err)
	}
	u.db.accepted(u.scope)
	return nil
}

// end closes the statement's pipeline, looks at what the statement did to the connection,
// and gives a single statement's connection back. err is the statement's own error.
func (u *unit) end(tag pgconn.CommandTag, err error) error {
	err = closePipeline(u.pipeline, err)
	u.forgetAfter(err)
	if err == nil && changesSession(tag) {
		err = fmt.Errorf("%w: %s", ErrScopeChanged, tag)
		u.destroy()
	}
	if u.tx != nil {
		return u.tx.afterStatement(err)
	}
	u.release()
	return err
}

// forgetAfter drops the statement that ran when the server says that it no longer fits.
func (u *unit) forgetAfter(err error) {
	if u.key == (stmtKey{}) || err == nil {
		return
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && planError(pgErr.Code) {
		u.state.drop(u.key)
	}
}

// release gives the connection back to the pool, which closes it unless it is idle and
// outside of any transaction. It is safe to call twice.
func (u *unit) release() {
	if u.lease == nil {
		return
	}
	u.lease.Release()
	u.lease = nil
}

// destroy closes the connection. What is doubtful about a connection must not reach the
// next tenant.
func (u *unit) destroy() {
	closing, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	_ = u.conn.Close(closing) // gone in any case; there is nobody to tell
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

// closePipeline closes p and returns err, or what closing it found: an error of the
// implicit commit, such as a deferred constraint's.
func closePipeline(p *pgconn.Pipeline, err error) error {
	if closeErr := p.Close(); err == nil {
		return closeErr
	}
	return err
}

// changesSession reports whether a command may have changed the session beyond its
// transaction, or the transaction itself.
func changesSession(tag pgconn.CommandTag) bool {
	switch tag.String() {
	case "SET", "RESET", "DISCARD", "DISCARD ALL", "DISCARD PLANS", "DISCARD SEQUENCES", "DISCARD TEMP",
		"LISTEN", "UNLISTEN", "LOAD", "PREPARE", "DEALLOCATE", "DEALLOCATE ALL",
		"BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE",
		"PREPARE TRANSACTION", "COMMIT PREPARED", "ROLLBACK PREPARED":
		return true
	}
	return false
}

// planError reports whether a statement that met this error may not fit the schema any
// more: its table or its types have changed or are gone.
func planError(state string) bool {
	switch state[:2] {
	case "08", "0A", "26", "42", "XX":
		return true
	}
	return false
}

// staleStatement reports whether the server refused to bind a prepared statement because
// its columns are not what they were when it was prepared, or because it is gone.
func staleStatement(err error) bool {
	return stateIs(err, stateFeatureUnsupported) || stateIs(err, stateProtocolViolation) || stateIs(err, stateInvalidStatement)
}

func stateIs(err error, state string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == state
}
