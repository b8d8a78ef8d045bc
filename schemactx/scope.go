package schemactx

// Level says what a scope sets, and so what stands between two tenants.
type Level int

const (
	// Roles sets the search path and a role that has rights in the tenant's schema and
	// nowhere else, so that PostgreSQL refuses names qualified with another tenant's
	// schema too. It is the default.
	Roles Level = iota
	// PathOnly sets the search path alone. It stops accidents with unqualified names and
	// nothing else: whatever the login may read, every tenant may read by qualified name.
	PathOnly
)

// scope is what a unit of work sets before its first statement, ready to be sent: the
// parameters of the scope statement in text format. Immutable.
type scope struct {
	schema string
	sql    string
	params [][]byte
}

// The scope statements. is_local is true in all of them: the settings end with the
// transaction, implicit or not, and a connection never remembers a tenant. The regnamespace
// parameter makes a missing schema an error (3F000): PostgreSQL itself accepts a path that
// names one and falls through to the next.
const (
	scopeRolesSQL = "select set_config('search_path', $1::text, true), set_config('role', $2::text, true), $3::regnamespace"
	scopePathSQL  = "select set_config('search_path', $1::text, true), $2::regnamespace"
)

// newScope builds the scope of a schema whose name has been validated, or of public.
func newScope(schema string, roles RoleNames, level Level) (*scope, error) {
	quoted, err := QuoteName(schema)
	if err != nil {
		return nil, err
	}
	// pg_temp last: a temporary table never shadows a tenant's.
	path := []byte(quoted + ", pg_temp")
	namespace := []byte(quoted)
	if level == PathOnly {
		return &scope{schema: schema, sql: scopePathSQL, params: [][]byte{path, namespace}}, nil
	}
	role := roles.Tenant(schema)
	if schema == Public {
		role = roles.Public()
	}
	return &scope{schema: schema, sql: scopeRolesSQL, params: [][]byte{path, []byte(role), namespace}}, nil
}

// statementName is the name under which a connection prepares the scope statement.
func (sc *scope) statementName() string {
	if sc.sql == scopePathSQL {
		return "pgtenant_scope_path"
	}
	return "pgtenant_scope"
}

// refused explains why the server did not let the scope in.
func (sc *scope) refused(err error) error {
	e := &ScopeError{Schema: sc.schema, Err: err}
	switch {
	case stateIs(err, stateInvalidSchemaName):
		e.Kind = ErrSchemaMissing
	case stateIs(err, stateInvalidParameter), stateIs(err, stateInsufficientRights):
		e.Kind = ErrNotProvisioned
	}
	return e
}
