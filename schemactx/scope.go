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

// scope is what a unit of work sets before its first statement, ready to be sent. Immutable but for
// kept.
type scope struct {
	schema  string
	schemas []string // that are on the path
	path    string   // the search path, as the server shows it
	role    string   // the role that statements run as; "" where the login stays what it is
	// statements that reset what of this a statement may have set for the session; none where no other
	// tenant uses it
	resets []string
	login  bool // the session is the tenant's own: the scope only looks at it
	limits Limits
	sql    string
	params [][]byte // of sql, in text format

	timeouts map[string]int // which of params are the tenant's limits, by setting

	name    int    // which of params is the application_name; 0, which is the path, for none
	comment string // that goes in front of each statement; "" for none

	// The messages that run it, made once: a unit of work sends them as they are.
	parse   pgproto3.Parse
	unnamed pgproto3.Bind
	named   pgproto3.Bind

	age  uint64      // see [freshness]
	kept atomic.Bool // the DB has it at hand
}

// The parts of the scope statement. is_local is true in all of them: the settings end with the
// transaction, implicit or not, and a connection never remembers a tenant. The regnamespace
// parameter makes a missing schema an error (3F000): PostgreSQL itself accepts a path that names
// one and falls through to the next.
//
// The statement returns exactly one row, of no columns, so that little of it has to travel: see
// [statement.sendAlone]. A role that may not call set_config can still be set here: the right is
// checked before the first row (ExecInitFunc), when the role is still the login's.
const scopeSQL = "select where set_config('search_path', $1::text, true) is not null and $2::regnamespace is not null"

// newScope builds the scope of a schema whose name has been validated, or of public.
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

// loginScopeSQL is the scope statement at level [Logins]. The connection has been opened with the
// tenant's settings and serves nobody else, so that it only has to be seen that the tenant's own
// statements have not led it astray (22012), and that not before every statement: only on a new
// connection and after statements that may have.
const (
	loginScopeSQL = "select where 1 / (current_setting('search_path') = $1::text)::int = 1 and $2::regnamespace is not null"

	loginScopeNamedSQL = "select where 1 / (current_setting('search_path') = $1::text and " +
		"current_setting('application_name') = $3::text)::int = 1 and $2::regnamespace is not null"
)

// newLoginScope builds the scope of a tenant that logs in as itself.
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

// messages makes the messages that run the scope.
func (sc *scope) messages() {
	sc.parse = pgproto3.Parse{Query: sc.sql}
	sc.unnamed = pgproto3.Bind{Parameters: sc.params}
	sc.named = pgproto3.Bind{PreparedStatement: internalName(sc.sql), Parameters: sc.params}
}

// set adds a setting to the scope, unless its value is empty.
func (sc *scope) set(setting, value string) {
	if value == "" {
		return
	}
	sc.params = append(sc.params, []byte(value))
	sc.sql += " and set_config('" + setting + "', $" + strconv.Itoa(len(sc.params)) + "::text, true) is not null"
}

// assertSQL fails (22012) unless the search path and the role are those of the scope, and the
// application_name where the scope sets it. It goes in front of a statement of a transaction when
// an earlier one may have changed them; reading them needs no right.
const (
	assertSQL      = "select 1 / (current_setting('search_path') = $1::text and ($2::text = '' or current_user = $2::text))::int"
	assertNamedSQL = "select 1 / (current_setting('search_path') = $1::text and ($2::text = '' or current_user = $2::text) " +
		"and current_setting('application_name') = $3::text)::int"
)

// assertion returns what fails unless the scope is as the unit has set it.
func (u *unitOfWork) assertion() internalStmt {
	params := [][]byte{[]byte(u.scope.path), []byte(u.scope.role)}
	if u.scope.name == 0 || u.scope.login {
		return internalStmt{stepAssert, assertSQL, params}
	}
	return internalStmt{stepAssert, assertNamedSQL, append(params, u.scopeParams()[u.scope.name])}
}

// scrubSQL takes away what a tenant may have left on a connection, in the order of PostgreSQL's own
// DISCARD ALL, which RESET ROLE is not part of.
var scrubSQL = []string{
	closeSQL,
	resetRoleSQL,
	"unlisten *",
	"select pg_advisory_unlock_all()",
	"discard sequences",
	"discard temp",
	"reset all",
}

// foreignSQL fails (22012) where SQL has prepared statements on the connection: this package
// prepares by the protocol. It goes in front of a scrub, which cannot tell their names: all
// statements are then deallocated.
const foreignPreparedSQL = "select 1 / (not exists (select from pg_catalog.pg_prepared_statements where from_sql))::int"

// errForeign is what foreignSQL finds. twice deals with it.
var errForeignPrepared = errors.New("schemactx: a function has changed the prepared statements of the connection")

// ownName is the name under which a connection prepares one of the library's own statements.
func internalName(sql string) string {
	return fmt.Sprintf("pgtenant_own_%08x", crc32.ChecksumIEEE([]byte(sql)))
}

// refused explains why the server did not let the scope in.
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
