package schemactx

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cleanupTimeout limits a rollback and the closing of a connection. Both also run after the
// caller's context has ended.
const cleanupTimeout = 5 * time.Second

// unitOfWork is one unit of work: a borrowed connection and the scope of its statements.
type unitOfWork struct {
	db          *DB
	scope       *scope
	txn         *txState      // the transaction; nil for a statement, a batch or a copy alone
	lease       *pgxpool.Conn // nil after it was released
	login       *loginPool    // the pool of lease, at level Logins
	lane        *lane         // the lane of lease, if the DB has lanes
	semaphore   *semaphore    // in which the unit holds a place; nil without a limit
	conn        *pgx.Conn
	state       *connState
	sessionPath string // the search path when the unit began, if the server reports it

	asked        time.Time       // when it asked for a connection; zero without a ScopeStart hook
	ctx          context.Context // for ScopeEnd, like pid; nil without that hook
	pid          uint32
	leftState    bool // a statement may have left session state
	leftPrepared bool // that may include prepared statements

	settings *settings // of [WithSettings] and [TxOptions]; nil for none

	name     []byte          // the application_name, if it differs from the scope's
	adjusted *pgconn.PgError // see adjustPosition

	membershipRefreshed bool // see retryStaleMembership

	now         int64       // when the unit began; see [catalog.now]
	catalogRead catalogRead // what is still to be read from the catalogs
	catalogSeen uint64      // [catalog.seen] after the unit compared the fingerprint
}

// open borrows a connection for a unit of work in the scope of ctx.
func (u *unitOfWork) open(ctx context.Context, db *DB) error {
	c := scopeContextOf(ctx)
	sc, err := db.scope(c)
	if err != nil {
		return err
	}
	settings := settingsOf(ctx)
	if err := db.checkSettings(settings, sc); err != nil {
		return err
	}
	*u = unitOfWork{db: db, scope: sc, settings: settings, name: db.requestName(ctx, sc)}
	if db.cfg.Hooks.ScopeStart != nil {
		u.asked = time.Now()
	}
	done := false
	defer u.abandonUnless(&done) // also if no connection can be acquired
	if u.semaphore, err = db.semaphores.enter(ctx, sc); err != nil {
		return err
	}
	if err = u.acquire(ctx); err != nil {
		return err
	}
	u.conn = u.lease.Conn()
	u.state = stateOf(u.conn.PgConn(), db.cfg.StatementCacheCapacity)
	if err := u.checkLogin(ctx); err != nil {
		return err
	}
	u.sessionPath = u.reportedPath()
	u.planCatalogRead()
	if u.state.last != sc.schema {
		u.state.last = sc.schema
		db.stats.switches.Add(1)
	}
	db.scopeStart(ctx, u, c)
	done = true
	return nil
}

// checkLogin checks the login of a connection that is used for the first time. It asks the server
// if the server has not reported the runtime login, or if the pool is configured with another
// login. A pooler may report nothing. A hook of the pool may have hidden a superuser with SET ROLE
// or SET SESSION AUTHORIZATION, which a tenant's statement could undo. It does not ask about a
// tenant's own login, at level [Logins], because this package chose it.
func (u *unitOfWork) checkLogin(ctx context.Context) error {
	if u.state.loginChecked {
		return nil
	}
	pc := u.conn.PgConn()
	login := pc.ParameterStatus("session_authorization")
	err := u.db.checkLogin(pc.ParameterStatus("is_superuser"), login)
	want := u.db.cfg.Roles.Runtime()
	if err == nil && u.db.cfg.Level != PathOnly && u.login == nil && (login != want || u.conn.Config().User != want) {
		err = u.askLogin(ctx)
	}
	u.state.loginChecked = err == nil
	return err
}

// askLogin checks the login that the server reports in its catalogs.
func (u *unitOfWork) askLogin(ctx context.Context) error {
	rows := u.conn.PgConn().
		ExecParams(ctx, `select r.rolname, case when r.rolsuper then 'on' else 'off' end from pg_catalog.pg_roles r
		where r.rolname = session_user or r.oid = (
			select a.usesysid from pg_catalog.pg_stat_activity a where a.pid = pg_catalog.pg_backend_pid())
		order by r.rolsuper desc, r.rolname = $1 desc limit 1`, [][]byte{[]byte(u.db.cfg.Roles.Owner())}, nil, nil, nil).
		Read()
	if rows.Err != nil {
		return fmt.Errorf("look at the pool's login: %w", rows.Err)
	}
	if len(rows.Rows) == 0 {
		return &LoginError{Kind: LoginOther, Want: u.db.cfg.Roles.Runtime()}
	}
	return u.db.checkLogin(string(rows.Rows[0][1]), string(rows.Rows[0][0]))
}

// acquire borrows a connection for the scope. If it fails, release gives back what it has taken.
func (u *unitOfWork) acquire(ctx context.Context) (err error) {
	pool := u.db.pool
	switch {
	case u.scope == u.db.public:
	case u.db.logins != nil:
		return u.db.logins.acquire(ctx, u)
	case u.db.lanes != nil:
		if u.lane, err = u.db.lanes.enter(ctx, u.scope.schema); err != nil {
			return err
		}
		pool = u.lane.pool
	}
	u.lease, err = pool.Acquire(ctx)
	return err
}

// noteKind records what a statement of this kind may have done to the session.
func (u *unitOfWork) noteKind(kind sqlKind) {
	u.leftState = u.leftState || kind != kindRead
	u.leftPrepared = u.leftPrepared || kind.mayChangeScope()
	u.state.noteKind(kind)
}

// noteEnd records what the end of a transaction, implicit or not, means for the connection.
func (u *unitOfWork) noteEnd() {
	if u.leftState {
		u.state.markDirty(u.scope.schema)
		u.state.preparedDirty = u.state.preparedDirty || u.leftPrepared
	}
	if u.state.preparedStale {
		u.state.discardPrepared() // includes what was prepared meanwhile
	}
	u.leftState, u.leftPrepared = false, false
}

// release gives back everything that the unit has taken, even if something panics meanwhile: the
// connection and the places in login pool, lane and semaphore. The pool closes the connection
// unless it is idle and outside of a transaction. release calls the ScopeEnd hook last, when the
// unit holds nothing. It may be called twice.
func (u *unitOfWork) release() {
	lease, login, lane, gate := u.lease, u.login, u.lane, u.semaphore
	u.lease, u.login, u.lane, u.semaphore = nil, nil, nil, nil
	if lease != nil {
		closed := u.conn.IsClosed() // after Release another unit may use the connection
		defer func() { u.db.scopeEnd(u, closed) }()
	}
	defer gate.leave()
	defer lane.leave()
	defer u.db.logins.leave(login)
	if lease != nil {
		lease.Release()
	}
}

// abandonUnless abandons the unit if the function that defers it did not complete. The reason is
// that the caller's code has panicked or called [runtime.Goexit]: in a hook, a tracer, a rewriter,
// a callback, or while a value was encoded or scanned. It is then unknown what has been written, so
// the connection is closed and the transaction has ended. Every exported function in which the
// caller's code may run on a unit defers it, while it holds the unit's lock if there is one.
func (u *unitOfWork) abandonUnless(done *bool) {
	if !*done {
		u.abandon()
	}
}

func (u *unitOfWork) abandon() {
	defer u.release()
	if u.lease != nil {
		u.destroy()
	}
	if u.txn != nil {
		u.txn.abandoned()
	}
}

// destroy closes the connection, so that the next tenant does not get a connection in an unknown
// state.
func (u *unitOfWork) destroy() {
	if u.conn.IsClosed() {
		return
	}
	u.db.stats.destroyed.Add(1)
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	_ = u.conn.Close(ctx) // closed in any case, and no caller could handle the error
}

// rollback ends the transaction of the connection. It does not depend on the caller's context. If
// it fails, it closes the connection, and the server rolls back.
func (u *unitOfWork) rollback(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if _, err := u.conn.PgConn().Exec(ctx, "rollback").ReadAll(); err != nil {
		u.destroy()
		return err
	}
	return nil
}

// needsReset reports whether the role or the path of the session must be reset after statements of
// this kind. They may have set it for longer than the scope. Statements without a scope would then
// run in the tenant's until the next scrub.
func (u *unitOfWork) needsReset(kind sqlKind) bool {
	return len(u.scope.resets) > 0 && kind.mayChangeScope()
}

// kindOf returns the kind of a statement that the server is about to parse, and the schemas that
// the statement may name. If the server reads strings or characters in another way than the lexer,
// the kind is kindOther. Every version of PostgreSQL reports both settings.
func (u *unitOfWork) kindOf(sql string) (sqlKind, []string) {
	kind, pc := kindOf(sql), u.conn.PgConn()
	if kind != kindRead && kind != kindWrite {
		return kind, nil
	}
	named, ok := qualifiers(sql)
	if !ok || pc.ParameterStatus("standard_conforming_strings") != "on" ||
		pc.ParameterStatus("client_encoding") != "UTF8" {
		return kindOther, nil
	}
	return kind, named
}

// status returns the connection's transaction status as the server last reported it: I (idle), T
// (in a transaction) or E (in a failed one).
func (u *unitOfWork) status() byte { return u.conn.PgConn().TxStatus() }

// reportedPath returns the search path as the server last reported it. It is "" before PostgreSQL
// 18, behind a pooler that does not forward it, and if it is empty.
func (u *unitOfWork) reportedPath() string { return u.conn.PgConn().ParameterStatus("search_path") }

// pathChanged reports whether the server says that the search path is not the expected one. In a
// transaction that is the path of the scope, and outside of one the path that the session had when
// the unit borrowed it. The RESETs of this package, in a scrub and after statements that may change
// the scope, lead to the path that the session started with. That may differ, because AfterConnect
// or PrepareConn may have set another one.
func (u *unitOfWork) pathChanged() bool {
	path := u.reportedPath()
	switch {
	case path == "", u.status() == 'E', u.conn.IsClosed():
		return false
	case u.status() == 'T':
		return path != u.scope.path
	case path == u.sessionPath, path == u.state.defaultPath:
		return false
	}
	return !u.beganWith(path)
}

// beganWith reports whether the session started with that search path, so that a RESET does not
// change it. It costs a round trip, which a connection rarely needs.
func (u *unitOfWork) beganWith(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	//tenantvet:allow tenantsql it asks what the session's own path is, outside of any scope
	if _, err := u.conn.PgConn().Exec(ctx, resetPathSQL).ReadAll(); err != nil {
		u.destroy() // this also discards its path
		return true
	}
	u.state.defaultPath = u.reportedPath()
	return path == u.state.defaultPath
}
