package schemactx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oryne/pgtenant/internal/requestid"
)

// ServerLog selects how PostgreSQL's own log shows whose statement it logs. SERVERLOG.md, beside
// this file, has the log_line_prefix to set, what each line then shows, and the costs.
type ServerLog int

const (
	// ServerLogOff tells the server nothing. It is the default.
	ServerLogOff ServerLog = iota

	// ServerLogApplicationName makes the schema the application_name of the scope. log_line_prefix
	// writes it as %a, and tools such as pgBadger can group by it. It is in the log lines of
	// statements, errors, slow statements, lock waits and temporary files. It is also in
	// pg_stat_activity, where every role of the server can read it. It is part of the scope, so it
	// ends with the unit of work and costs no round trip. At level [Logins] it is a setting of the
	// tenant's sessions.
	ServerLogApplicationName

	// ServerLogComment puts the comment /*schema='tenant_2'*/ before each statement of the caller,
	// also when it is prepared. Everything that shows a statement's text shows the comment. BEGIN,
	// COMMIT and the scope have none. It works with a pooler that does not forward application_name,
	// and other tenants cannot read it.
	ServerLogComment
)

// maxApplicationName is the number of bytes that PostgreSQL keeps of an application_name
// (NAMEDATALEN).
const maxApplicationName = 63

func (c Config) validateServerLog() error {
	switch {
	case c.ServerLog < ServerLogOff || c.ServerLog > ServerLogComment:
		return fmt.Errorf("schemactx: unknown ServerLog %d", c.ServerLog)
	case c.RequestID == nil:
		return nil
	case c.ServerLog != ServerLogApplicationName:
		return errors.New(
			"schemactx: RequestID needs ServerLogApplicationName: in a comment it would make every statement another one",
		)
	case c.Level == Logins:
		return errors.New("schemactx: at level Logins the application_name is the session's, and RequestID cannot be in it")
	}
	return nil
}

// tagForLog makes the server's log show the scope's schema.
func (sc *scope) tagForLog(log ServerLog) {
	switch {
	case log == ServerLogComment:
		sc.comment = "/*schema='" + sc.schema + "'*/ "
	case log == ServerLogOff:
	case sc.login:
		sc.nameParam = len(sc.params)
		sc.params = append(sc.params, []byte(sc.schema))
		sc.sql = loginScopeNamedSQL
	default:
		sc.nameParam = len(sc.params)
		sc.params = append(sc.params, []byte(sc.schema))
		sc.sql = "select where set_config('application_name', $" + strconv.Itoa(
			sc.nameParam+1,
		) + "::text, true) is not null and " +
			sc.sql[len("select where "):] // first, so that the error of a missing role shows the name already
		sc.resets = append(sc.resets, resetNameSQL)
	}
}

// requestName returns the application_name with the id of the request that ctx belongs to, or nil
// if the id is empty or has a character that is not allowed. A name that is too long is cut at its
// end, so a search for its beginning finds it.
func (db *DB) requestName(ctx context.Context, sc *scope) []byte {
	if db.cfg.RequestID == nil {
		return nil
	}
	id := db.cfg.RequestID(ctx)
	if id == "" || slices.ContainsFunc([]byte(id), func(c byte) bool { return !requestid.Allowed(c) }) {
		return nil
	}
	name := append(append(make([]byte, 0, len(sc.schema)+1+len(id)), sc.schema...), '/')
	name = append(name, id...)
	return name[:min(len(name), maxApplicationName)]
}

// scopeParams returns the parameters of the scope statement for this unit of work.
func (u *unitOfWork) scopeParams() [][]byte {
	if u.name == nil && u.settings == nil {
		return u.scope.params
	}
	params := slices.Clone(u.scope.params)
	if u.name != nil {
		params[u.scope.nameParam] = u.name
	}
	for setting, i := range u.scope.timeouts {
		params[i] = []byte(u.settings.bounded(setting, string(params[i])))
	}
	return params
}

// scopeBind returns one of the scope's Bind messages for this unit of work.
func (u *unitOfWork) scopeBind(b *pgproto3.Bind) *pgproto3.Bind {
	if u.name == nil {
		return b
	}
	return &pgproto3.Bind{PreparedStatement: b.PreparedStatement, Parameters: u.scopeParams()}
}

// text returns the statement as it is sent to the server.
func (u *unitOfWork) text(sql string) string { return u.scope.comment + sql }

// adjustPosition changes the position in a server error to the one in the statement as the caller
// wrote it. prefix is the number of characters that this package put before it.
func (u *unitOfWork) adjustPosition(err error, prefix int) {
	var pgErr *pgconn.PgError
	if prefix == 0 || !errors.As(err, &pgErr) || pgErr == u.adjusted || int(pgErr.Position) <= prefix {
		return
	}
	pgErr.Position -= int32(prefix)
	u.adjusted = pgErr // the same error may be passed again
}
