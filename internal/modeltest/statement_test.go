package modeltest

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/oryne/pgtenant/schemactx"
)

// statement is one statement of a step and its expected outcome.
type statement struct {
	sql     string
	args    []any
	options []any // before the arguments

	want         want
	ids          []int64 // of the rows that it writes into ledger
	held         []int64 // of the rows that its cursor writes when PostgreSQL materializes it at COMMIT
	changesScope bool    // it changes the role or the path
	late         bool    // it makes the commit fail
	readsState   bool    // it returns the state of the connection
	types        bool    // it returns values of the tenant's own types
}

// want is the expected outcome of a statement that runs in its scope on a connection that is not
// lost.
type want struct {
	err   error  // the error before it is sent
	state string // the SQLSTATE of its error
	maybe bool   // it may fail, as not every level allows it
}

func (s *statement) String() string {
	if len(s.args) == 0 {
		return s.sql
	}
	return fmt.Sprint(s.sql, " ", s.args)
}

func (s *statement) arguments() []any { return append(slices.Clone(s.options), s.args...) }

var kinds = []string{
	"insert", "look", "read", "leftover", "leftover", "leftover", "scope change", "late", "duplicate", "fail",
	"hold", "shape", "shape", "shape", "refused", "rewrite", "valuer", "call", "prepare error", "defaults", "types",
	"types",
}

// scopeChanges returns the ways in which a statement can change the scope. At PathOnly the role is
// not part of the scope. It is reset after the statement, but later statements of the same
// transaction can run before that.
func (m *model) scopeChanges(standalone bool) []string {
	if m.level.level == schemactx.PathOnly && !standalone {
		return []string{"path", "local path"}
	}
	return scopeChanges
}

// statement draws a statement for a schema. standalone says that it is a unit of work of its own.
func (m *model) statement(rt *rapid.T, schema string, standalone bool) *statement {
	kind := rapid.SampledFrom(kinds).Draw(rt, "statement")
	s := &statement{}
	switch kind {
	case "insert":
		s = m.insert()
	case "defaults": // the call may have changed the scope, which is reset after it
		s.ids = []int64{m.newID()}
		s.sql = "insert into ledger (id) select $1::bigint where pg_try_advisory_xact_lock(1) is not null"
		s.args = []any{s.ids[0]}
	case "look":
		s.sql, s.readsState = "select * from lib.session_state", true
	case "types":
		s.sql, s.args, s.types = "select moods, home from people where moods[1] = any($1::mood[])", []any{[]mood{"low"}}, true
		s.want.maybe = m.exec // the type of the argument is not known
	case "read":
		s.sql, s.args = "select body from notes where id = $1", []any{1}
	case "leftover":
		m.leaveState(rt, s, schema, rapid.SampledFrom(leftovers).Draw(rt, "leftover"))
	case "scope change":
		m.leaveState(rt, s, schema, rapid.SampledFrom(m.scopeChanges(standalone)).Draw(rt, "scope change"))
		s.changesScope = true
	case "late":
		s.sql, s.late = "insert into late values (-1)", true
	case "duplicate":
		s.sql, s.want.state = "insert into ledger (id) values (-1)", "23505"
	case "fail":
		s.sql, s.want.state = "select 1 / (length(body) - length(body)) from notes", "22012"
	case "hold":
		s.held = []int64{m.newID()}
		s.sql = fmt.Sprintf("declare h_%d cursor with hold for select lib.held(%[1]d)", s.held[0])
	case "shape":
		s.sql = "select * from shape"
	case "refused":
		s.sql = rapid.SampledFrom([]string{
			"set work_mem = '1MB'", "commit", "reset all", "listen x", "discard all",
		}).Draw(rt, "refused")
		s.want.err = schemactx.ErrScopeChanged
	case "rewrite":
		s.sql, s.options = "select body from notes", []any{m}
		m.mayPanic(rt, "rewriter")
	case "valuer":
		s.sql, s.args = "select body from notes where id = $1", []any{value{m, 1}}
		m.mayPanic(rt, "Valuer")
	case "call":
		how := rapid.SampledFrom([]string{"now cancel", "now kill", "later cancel", "later kill"}).Draw(rt, "what")
		s.sql, s.args, s.want.maybe = "insert into calls values ($1)", []any{how}, true
		s.late = how[:3] != "now"
	case "prepare error":
		s.sql, s.want.state = fmt.Sprintf("select nothing_%d from notes", rapid.IntRange(0, 3).Draw(rt, "n")), "42703"
	}
	return s
}

// leaveState turns s into a statement that leaves state behind or changes the scope, in its own
// text or through an object.
func (m *model) leaveState(rt *rapid.T, s *statement, schema, what string) {
	n := slices.Index(allLeftovers, what)
	routes := []string{
		"set_config", "function", "block", "call", "lib view", "lib default", "lib policy", "lib operator", "lib trigger",
		"lib domain",
	}
	if schema == rich || schema == remote || m.extra != nil {
		routes = append(
			routes, "view", "policy", "operator", "domain", "check", "default", "trigger", "view", "policy", "default",
		)
	}
	if schema == rich {
		routes = append(routes, "column", "harmless name", "cast")
	}
	route := rapid.SampledFrom(routes).Draw(rt, "route")
	s.want.maybe = true
	if schema != rich && route == "operator" && m.extra == nil {
		route = "lib operator"
	}
	of := ""
	if route[:min(4, len(route))] == "lib " {
		of, route = "lib.", route[4:]
	}
	switch route {
	case "set_config":
		s.sql = directSQL(m, schema, what)
	case "function":
		s.sql = fmt.Sprintf("select lib.leave('%s')", what)
	case "block":
		s.sql = fmt.Sprintf("do $$ begin perform lib.leave('%s'); end $$", what)
	case "call":
		s.sql = fmt.Sprintf("call lib.leave_by_call('%s')", what)
	case "view":
		s.sql = fmt.Sprintf("select left_behind from %sv_%d", of, n)
	case "policy":
		s.sql = fmt.Sprintf("select x from %sg_%d", of, n)
	case "default":
		s.sql = fmt.Sprintf("insert into %sd_%d (x) values (1)", of, n)
	case "operator":
		s.sql = fmt.Sprintf("select '%s'::text <~> ''::text", what)
		if of != "" {
			s.sql = fmt.Sprintf("select '%s'::text operator(lib.<~>) ''::text", what)
		}
	case "domain":
		s.sql = fmt.Sprintf("select '%s'::%sleft_behind", what, of)
	case "check":
		s.sql = fmt.Sprintf("insert into checked values ('%s')", what)
	case "trigger":
		s.sql = fmt.Sprintf("insert into %striggered values ('%s')", of, what)
	case "column":
		s.sql = fmt.Sprintf("select w.left_behind from whats w where what = '%s'", what)
	case "harmless name":
		s.sql = fmt.Sprintf("select upper(w) from whats w where what = '%s'", what)
	case "cast":
		s.sql = fmt.Sprintf("select ('%s'::text)::boxed", what)
	}
}

// directSQL returns a statement whose own text leaves the state.
func directSQL(m *model, schema, what string) string {
	n, other := number(schema), rich
	if schema == rich {
		other = remote
	}
	switch what {
	case "setting":
		return fmt.Sprintf(
			"select set_config('app.mark', '%s', false), set_config('timezone', 'Etc/GMT+%d', false)", schema, n,
		)
	case "lock":
		return fmt.Sprintf("select pg_try_advisory_lock(4711, %d)", n)
	case "cursor":
		return fmt.Sprintf("declare c_%s cursor with hold for select 1", schema)
	case "temp":
		return fmt.Sprintf("create temporary table if not exists temp_%s (x int)", schema)
	case "sequence":
		return fmt.Sprintf("select nextval('lib.seq_%s')", schema)
	case "role", "local role":
		return fmt.Sprintf("select set_config('role', '%s', %t)", m.roleOf(other), what != "role")
	case "path", "local path":
		return fmt.Sprintf("select set_config('search_path', '%s', %t)", other, what != "path")
	}
	return fmt.Sprintf("select lib.leave('%s')", what)
}

// mood is an enum. Each schema has its own type of this name.
type mood string

// compare checks values of the tenant's own types. A value of another tenant's type is an
// violation.
func (m *model) compare(rows pgx.Rows) error {
	var moods []mood
	var home any
	if err := rows.Scan(&moods, &home); err != nil {
		return err
	}
	want := []mood{"low", mood("high in " + m.schema)}
	if !slices.Equal(moods, want) || !reflect.DeepEqual(home, any(homeOf[m.schema].value)) {
		m.violation = fmt.Sprintf("it reads %q and %v, want %q and %v", moods, home, want, homeOf[m.schema].value)
	}
	return nil
}

// mayPanic makes a callback panic in one of three cases.
func (m *model) mayPanic(rt *rapid.T, place string) {
	if rapid.IntRange(0, 2).Draw(rt, "panics") == 2 {
		m.panicAt = place
	}
}

// read reads and checks the rows of a statement.
func (m *model) read(rows pgx.Rows, s *statement) error {
	defer rows.Close()
	for rows.Next() {
		if s.readsState {
			if err := m.look(rows); err != nil {
				return err
			}
			continue
		}
		if s.types {
			if err := m.compare(rows); err != nil {
				return err
			}
			continue
		}
		targets := make([]any, len(rows.FieldDescriptions()))
		for i := range targets {
			targets[i] = &value{m: m}
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
	}
	rows.Close()
	return rows.Err()
}
