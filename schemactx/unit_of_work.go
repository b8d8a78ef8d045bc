package schemactx

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cleanupTimeout bounds a rollback and the closing of a connection, which go on when the caller's
// context is over.
const cleanupTimeout = 5 * time.Second

// unit is one unit of work: a connection on loan and the scope that its statements run in.
type unitOfWork struct {
	db          *DB
	scope       *scope
	txn         *txState      // that the unit is of; nil for a statement, a batch or a copy of its own
	lease       *pgxpool.Conn // nil once given back
	login       *loginPool    // that it is of, at level Logins
	lane        *lane         // that it is of, where the DB has lanes
	semaphore   *semaphore    // that the unit holds a place in; nil without a limit
	conn        *pgx.Conn
	state       *connState
	sessionPath string // the search path that the session had, where the server reports it

	asked        time.Time       // for a connection; the zero value where no hook is to hear of it
	ctx          context.Context // for the hook that is told of the end, like pid; nil without one
	pid          uint32
	leftState    bool // a statement may have left something behind
	leftPrepared bool // and that may include prepared statements

	settings *settings // of [WithSettings] and [TxOptions]; nil for none

	name     []byte          // the application_name, where it is not the scope's own
	adjusted *pgconn.PgError // see unshift

	membershipRefreshed bool // see outdated

	now         int64       // when the unit began, see [catalog.now]
	catalogRead catalogRead // what is still to be read of the catalogs
	catalogSeen uint64      // [catalog.seen] when the unit has compared the fingerprint
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
	defer u.abandonUnless(&done) // also where no connection is to be had
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

// checkLogin judges the login of a connection that is used for the first time. If the server has
// not reported the runtime login, or the pool is configured with another, it asks the server: a
// pooler may report nothing, and a hook of the pool may have hidden a superuser behind SET ROLE or
// SET SESSION AUTHORIZATION, which a tenant's statement could take back. A tenant's own login, of
// level [Logins], is the library's.
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

// askLogin judges who is logged in, as the server knows it.
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

// acquire borrows a connection that the scope can be set on. What it has taken when it fails,
// release gives back.
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

// leaves notes what a statement of this kind may have done to the session.
func (u *unitOfWork) noteKind(kind sqlKind) {
	u.leftState = u.leftState || kind != kindRead
	u.leftPrepared = u.leftPrepared || kind.mayChangeScope()
	u.state.noteKind(kind)
}

// settle notes what the end of a transaction, implicit or not, means for the connection.
func (u *unitOfWork) noteEnd() {
	if u.leftState {
		u.state.markDirty(u.scope.schema)
		u.state.preparedDirty = u.state.preparedDirty || u.leftPrepared
	}
	if u.state.preparedStale {
		u.state.discardPrepared() // what was prepared meanwhile goes with the rest
	}
	u.leftState, u.leftPrepared = false, false
}

// release gives back all that the unit has taken, whatever panics in between: the connection, which
// the pool closes unless it is idle and outside of any transaction, and the places in login pool,
// lane and gate. The hook is told last, when nothing is held any more. It is safe to call twice.
func (u *unitOfWork) release() {
	lease, login, lane, gate := u.lease, u.login, u.lane, u.semaphore
	u.lease, u.login, u.lane, u.semaphore = nil, nil, nil, nil
	if lease != nil {
		closed := u.conn.IsClosed() // after Release the connection may be another unit's
		defer func() { u.db.scopeEnd(u, closed) }()
	}
	defer gate.leave()
	defer lane.leave()
	defer u.db.logins.leave(login)
	if lease != nil {
		lease.Release()
	}
}

// abandonUnless gives up the unit when the function that defers it did not come to its end: the
// caller's code has panicked or called [runtime.Goexit], in a hook, a tracer, a rewriter, a
// callback, or while a value was encoded or scanned. It is unknown what has been written by then,
// so the connection is closed, and a transaction is over. Every exported function in which the
// caller's code may run on a unit defers it, while it holds the unit's lock if it has one.
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

// destroy closes the connection. What is doubtful about a connection must not reach the next
// tenant.
func (u *unitOfWork) destroy() {
	if u.conn.IsClosed() {
		return
	}
	u.db.stats.destroyed.Add(1)
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	_ = u.conn.Close(ctx) // gone in any case; there is nobody to tell
}

// rollback ends the transaction that the connection is in. It does not depend on the caller's
// context; a connection that cannot do it is closed, and the server rolls back.
func (u *unitOfWork) rollback(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if _, err := u.conn.PgConn().Exec(ctx, "rollback").ReadAll(); err != nil {
		u.destroy()
		return err
	}
	return nil
}

// needsReset reports whether the role or the path of the session has to be taken back behind
// statements of this kind: they may have set it for longer than the scope, and then what has no
// scope would be in a tenant's until the next scrub.
func (u *unitOfWork) needsReset(kind sqlKind) bool {
	return len(u.scope.resets) > 0 && kind.mayChangeScope()
}

// kindOf is the kind of a statement that the server is about to parse. Where the server reads
// strings or characters in another way than the lexer does, the text says too little; both settings
// are reported by every version.
//
// With the kind it returns the schemas that the statement may name.
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

// status is the connection's transaction status as the server last reported it: I (idle), T (in a
// transaction) or E (in a failed one).
func (u *unitOfWork) status() byte { return u.conn.PgConn().TxStatus() }

// reportedPath is the search path as the server last reported it: "" before PostgreSQL 18, behind a
// pooler that keeps it for itself, and where there is none.
func (u *unitOfWork) reportedPath() string { return u.conn.PgConn().ParameterStatus("search_path") }

// strayed reports whether the server says that the search path is another than it should be: in a
// transaction that of the scope, and outside of one that which the session had when the unit
// borrowed it. The two RESETs of this package, of a scrub and behind statements that may stray,
// lead to the path that the session began with, which need not be the same: AfterConnect or
// PrepareConn may have SET another.
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

// beganWith reports whether the session has that search path from its beginning: a RESET then
// leaves it as it is. It is a round trip, of which a connection needs few.
func (u *unitOfWork) beganWith(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	//tenantvet:allow tenantsql it asks what the session's own path is, outside of any scope
	if _, err := u.conn.PgConn().Exec(ctx, resetPathSQL).ReadAll(); err != nil {
		u.destroy() // and with it whatever it had
		return true
	}
	u.state.defaultPath = u.reportedPath()
	return path == u.state.defaultPath
}
