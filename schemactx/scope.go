package schemactx

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// scope is what a unit of work sets before its first statement, ready to be sent. After it was
// built, only the field kept changes.
type scope struct {
	schema  string
	schemas []string // the schemas on the path
	path    string   // the search path, as the server shows it
	role    string   // the role that statements run as; "": the login
	// resets are the statements to send after a statement that may have set the path, the role or the
	// application_name for the session. At level [Logins], where no other tenant uses the session,
	// there are none.
	resets []string
	login  bool // the session belongs to the tenant, and the scope only checks it
	limits Limits
	sql    string
	params [][]byte // of sql, in text format

	timeouts map[string]int // by setting of limits: the index of its value in params

	nameParam int    // the index in params of the application_name; 0, the index of the path, for none
	comment   string // the comment before each statement; "" for none

	// The messages that run the scope. They are built once, and units of work send them unchanged.
	parse   pgproto3.Parse
	unnamed pgproto3.Bind
	named   pgproto3.Bind

	age  uint64      // see [freshness]
	kept atomic.Bool // [DB.accepted] has handled it
}

// scopeSQL is the beginning of the scope statement. is_local is true in every call of set_config:
// the settings end with the transaction, implicit or not, so a connection does not keep them. The
// regnamespace parameter makes a missing schema an error (3F000). PostgreSQL itself accepts a
// search path with a missing schema and uses the next one.
//
// The statement returns exactly one row without columns, so its result is small: see
// [statement.sendAlone]. A role that may not call set_config can still be set here, because
// PostgreSQL checks that privilege before the first row (ExecInitFunc), when the role is still the
// login's.
const scopeSQL = "select where set_config('search_path', $1::text, true) is not null and $2::regnamespace is not null"

// newScope builds the scope of a schema with a validated name, or of public.
func newScope(schema, role string, extra []string, limits Limits, log ServerLog) (*scope, error) {
	quoted, err := QuoteName(schema)
	if err != nil {
		return nil, err
	}
	path, err := SearchPath(schema, extra)
	if err != nil {
		return nil, err
	}
	sc := &scope{
		schema:  schema,
		schemas: append([]string{schema}, extra...),
		path:    path,
		role:    role,
		resets:  []string{resetRoleSQL},
		limits:  limits,
		sql:     scopeSQL,
	}
	if role == "" {
		sc.resets = []string{resetPathSQL, resetRoleSQL}
	}
	sc.params = [][]byte{[]byte(sc.path), []byte(quoted)}
	sc.set("role", role)
	sc.timeouts = make(map[string]int)
	for setting, value := range limits.settings() {
		sc.timeouts[setting] = len(sc.params)
		sc.set(setting, value)
	}
	sc.tagForLog(log)
	sc.messages()
	return sc, nil
}

// loginScopeSQL is the scope statement at level [Logins]. The connection was opened with the
// tenant's settings and serves no other tenant. So the statement only checks that the tenant's own
// statements have not changed the settings; otherwise it fails (22012). It is sent on a new
// connection and after statements that may have changed the settings. loginScopeNamedSQL also
// checks the application_name.
const (
	loginScopeSQL = "select where 1 / (current_setting('search_path') = $1::text)::int = 1 and $2::regnamespace is not " +
		"null"

	loginScopeNamedSQL = "select where 1 / (current_setting('search_path') = $1::text and " +
		"current_setting('application_name') = $3::text)::int = 1 and $2::regnamespace is not null"
)

// newLoginScope builds the scope of a tenant that logs in with its own role.
func newLoginScope(schema string, extra []string, limits Limits, log ServerLog) (*scope, error) {
	quoted, err := QuoteName(schema)
	if err != nil {
		return nil, err
	}
	path, err := SearchPath(schema, extra)
	if err != nil {
		return nil, err
	}
	sc := &scope{
		schema:  schema,
		schemas: append([]string{schema}, extra...),
		path:    path,
		login:   true,
		limits:  limits,
		sql:     loginScopeSQL,
	}
	sc.params = [][]byte{[]byte(sc.path), []byte(quoted)}
	sc.tagForLog(log)
	sc.messages()
	return sc, nil
}

// messages builds the messages that run the scope.
func (sc *scope) messages() {
	sc.parse = pgproto3.Parse{Query: sc.sql}
	sc.unnamed = pgproto3.Bind{Parameters: sc.params}
	sc.named = pgproto3.Bind{PreparedStatement: internalName(sc.sql), Parameters: sc.params}
}

// set adds a setting to the scope unless its value is empty.
func (sc *scope) set(setting, value string) {
	if value == "" {
		return
	}
	sc.params = append(sc.params, []byte(value))
	sc.sql += " and set_config('" + setting + "', $" + strconv.Itoa(len(sc.params)) + "::text, true) is not null"
}

// assertSQL fails (22012) unless the search path and the role are those of the scope.
// assertNamedSQL also checks the application_name. In a transaction or a batch, one of them is sent
// before a statement if an earlier statement may have changed the scope. Reading the settings needs
// no privilege.
const (
	assertSQL = "select 1 / (current_setting('search_path') = $1::text and ($2::text = '' or current_user = " +
		"$2::text))::int"
	assertNamedSQL = "select 1 / (current_setting('search_path') = $1::text and ($2::text = '' or current_user = " +
		"$2::text) " +
		"and current_setting('application_name') = $3::text)::int"
)

// assertion returns a statement that fails unless the scope is as the unit has set it.
func (u *unitOfWork) assertion() internalStmt {
	params := [][]byte{[]byte(u.scope.path), []byte(u.scope.role)}
	if u.scope.nameParam == 0 || u.scope.login {
		return internalStmt{stepAssert, assertSQL, params}
	}
	return internalStmt{stepAssert, assertNamedSQL, append(params, u.scopeParams()[u.scope.nameParam])}
}

// scrubSQL removes what a tenant may have left on a connection. The order is that of PostgreSQL's
// DISCARD ALL, which does not include RESET ROLE.
var scrubSQL = []string{
	closeSQL,
	resetRoleSQL,
	"unlisten *",
	"select pg_advisory_unlock_all()",
	"discard sequences",
	"discard temp",
	"reset all",
}

// foreignPreparedSQL fails (22012) if the connection has statements that SQL has prepared; this
// package prepares with the protocol. It is sent before a scrub. Because the names of those
// statements are unknown, all prepared statements are then deallocated.
const foreignPreparedSQL = "select 1 / (not exists (select from pg_catalog.pg_prepared_statements where from_sql))::int"

// errForeignPrepared is the error for a failure of foreignPreparedSQL. retryPrologue handles it.
var errForeignPrepared = errors.New("schemactx: a function has changed the prepared statements of the connection")

// internalName returns the name under which a connection prepares an internal statement.
func internalName(sql string) string {
	return fmt.Sprintf("pgtenant_own_%08x", crc32.ChecksumIEEE([]byte(sql)))
}

// refused returns a [ScopeError] that says why the server did not accept the scope.
func (sc *scope) refused(err error) error {
	e := &ScopeError{Schema: sc.schema, Err: err}
	switch {
	case sqlstate.Is(err, sqlstate.InvalidSchemaName):
		e.Kind = ErrSchemaMissing
	case sqlstate.Is(err, sqlstate.InvalidParameter), sqlstate.Is(err, sqlstate.InsufficientRights):
		e.Kind = ErrNotProvisioned
	case sqlstate.Is(err, sqlstate.DivisionByZero):
		e.Kind = ErrScopeChanged
	}
	return e
}
