package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/oryne/pgtenant/schemactx"
)

// runner has the methods that a DB and a Tx share.
type runner interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
}

// work is one call of a runner and its statements.
type work struct {
	what       string
	statements []*statement
	call       func(ctx context.Context, r runner) error
	callback   bool // a callback of the caller may return an error after all statements were sent
	given      bool // results are read one by one, so a stale statement after the first cannot be retried
}

// work draws a call. standalone says that it is a unit of work of its own.
func (m *model) work(rt *rapid.T, schema string, standalone bool) *work {
	switch rapid.SampledFrom([]string{"statement", "statement", "statement", "batch", "copy"}).Draw(rt, "call") {
	case "batch":
		return m.batch(rt, schema)
	case "copy":
		return m.copy(rt)
	}
	return m.single(rt, m.statement(rt, schema, standalone))
}

// single returns a call with one statement, whose rows are read in one of several ways.
func (m *model) single(rt *rapid.T, s *statement) *work {
	ways := []string{"Exec", "Query", "QueryRow", "Query, closed early"}
	how := rapid.SampledFrom(ways).Draw(rt, "how")
	if s.readsState {
		how = "Query"
	}
	call := func(ctx context.Context, r runner) error {
		if how == "Exec" {
			_, err := r.Exec(ctx, s.sql, s.arguments()...)
			return err
		}
		if how == "QueryRow" {
			err := r.QueryRow(ctx, s.sql, s.arguments()...).Scan(&value{m: m})
			if errors.Is(err, pgx.ErrNoRows) || err != nil && strings.HasPrefix(err.Error(), "number of field descriptions") {
				return nil
			}
			return err
		}
		rows, err := r.Query(ctx, s.sql, s.arguments()...)
		if err != nil {
			return err
		}
		if how != "Query" {
			rows.Close()
			return rows.Err()
		}
		return m.read(rows, s)
	}
	return &work{what: how + " " + s.String(), statements: []*statement{s}, call: call}
}

// errCallback is the error of a callback of the caller.
var errCallback = errors.New("the caller's own")

// batch returns a call with a batch of up to four statements.
func (m *model) batch(rt *rapid.T, schema string) *work {
	w := &work{}
	how := rapid.SampledFrom([]string{"Close", "Exec", "Query", "callbacks"}).Draw(rt, "how")
	n := rapid.IntRange(1, largest).Draw(rt, "statements")
	b := &pgx.Batch{}
	var names []string
	for range n {
		s := m.statement(rt, schema, false)
		w.statements = append(w.statements, s)
		names = append(names, s.String())
		q := b.Queue(s.sql, s.arguments()...)
		if how == "callbacks" {
			w.callback = w.callback || rapid.IntRange(0, 5).Draw(rt, "callback fails") == 5
			fails := w.callback
			q.Query(func(rows pgx.Rows) error {
				m.at("batch callback")
				if fails {
					return errCallback
				}
				return m.read(rows, s)
			})
		}
	}
	if how == "callbacks" {
		m.mayPanic(rt, "batch callback")
	}
	w.given = n > 1 && how != "Close"
	w.what = fmt.Sprintf("batch (%s) %s", how, strings.Join(names, "; "))
	w.call = func(ctx context.Context, r runner) (err error) {
		res := r.SendBatch(ctx, b)
		defer func() { err = errors.Join(err, res.Close()) }()
		for _, s := range w.statements {
			switch how {
			case "Exec":
				if _, err := res.Exec(); err != nil {
					return err
				}
			case "Query":
				rows, err := res.Query()
				if err == nil {
					err = m.read(rows, s)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
	return w
}

// copy returns a call that copies a few rows.
func (m *model) copy(rt *rapid.T) *work {
	s, src := &statement{sql: "copy"}, &source{m: m}
	table := pgx.Identifier{"ledger"}
	for range rapid.IntRange(1, 3).Draw(rt, "rows") {
		src.ids = append(src.ids, m.newID())
	}
	s.ids = slices.Clone(src.ids)
	switch rapid.SampledFrom([]string{
		"rows", "rows", "no table", "duplicate", "error", "cancel", "panic",
	}).Draw(rt, "copy") {
	case "no table":
		s.sql, s.want.state, table = "copy into no table", "42P01", pgx.Identifier{"nothing"}
	case "duplicate":
		s.sql, s.want.state = "copy of a duplicate", "23505"
		src.ids = append(src.ids, -1)
	case "error":
		s.sql, s.want.maybe, src.fail = "copy of a source with an error", true, errCallback
	case "cancel":
		s.sql, s.want.maybe, src.cancel = "copy that is cancelled", true, true
	case "panic":
		m.panicAt = rapid.SampledFrom([]string{"copy source", "Valuer"}).Draw(rt, "panic at")
	}
	return &work{what: s.sql, statements: []*statement{s}, call: func(ctx context.Context, r runner) error {
		_, err := r.CopyFrom(ctx, table, []string{"id"}, src)
		return err
	}}
}

// drawUnit draws the setting of a unit of work.
func (m *model) drawUnit(rt *rapid.T) {
	m.unit = rapid.SampledFrom([]string{"", "", "one", "two"}).Draw(rt, "unit")
}

// fault may cancel the step's context or make a callback panic.
func (m *model) fault(rt *rapid.T) {
	m.cancelled = false
	switch rapid.IntRange(0, 9).Draw(rt, "fault") {
	case 8:
		m.cancelled = true
	case 9:
		m.panicAt = rapid.SampledFrom(panicPlaces).Draw(rt, "panic at")
	}
}

// expectFailure reports whether a call must fail and whether it may fail, by its statements. tx
// says that the commit comes later.
func (m *model) expectFailure(w *work, tx bool) (fail, mayFail bool) {
	scopeChanged := false
	for _, s := range w.statements {
		fail = fail || scopeChanged || s.want.err != nil || s.want.state != "" || s.late && !tx
		mayFail = mayFail || s.want.maybe
		scopeChanged = scopeChanged || s.changesScope
	}
	return fail, mayFail
}

// alone runs a call as a unit of work of its own.
func (m *model) alone(rt *rapid.T) {
	schema := m.drawSchema(rt)
	if !m.free(schema) || schema == bare && m.level.level == schemactx.PathOnly { // PathOnly needs no role
		rt.SkipNow()
	}
	refusals := m.refusals(schema)
	of := schema
	if refusals != nil {
		of = plain
	}
	m.panicAt = ""
	w := m.work(rt, of, true)
	m.fault(rt)
	m.drawUnit(rt)
	before := m.cancelled
	o := m.step(rt, schema, w.what, func(ctx context.Context) error { return w.call(ctx, m.db) })
	fail, mayFail := m.expectFailure(w, false)
	if refusals != nil {
		expected := is(o.err, refusals...) || m.lost() || fail || mayFail
		if o.err == nil {
			expected = o.panicked != nil
		}
		require.True(rt, expected, "%s in %s: %v, want one of %v", w.what, schema, o.err, refusals)
		return
	}
	fate := undone
	switch {
	case before && o.err == nil && !m.panicDone:
		rt.Fatalf("%s runs under a context that is over", w.what)
	case before && !m.panicDone:
	case m.panicDone || m.lost():
		fate = unknown
	case o.err == nil && fail:
		rt.Fatalf("%s in %s must fail", w.what, schema)
	case o.err == nil:
		fate = committed
		m.committed(schema)
	case w.callback && errors.Is(o.err, errCallback):
		fate = unknown
	case fail || mayFail:
	case m.sessionRefused(o.err), w.given && outdated(o.err):
	default:
		rt.Fatalf("%s in %s must not fail: %v", w.what, schema, o.err)
	}
	if !m.lost() && !m.panicDone {
		m.expectKind(rt, w, o.err)
	}
	m.settle(schema, m.unit, w.statements, fate)
	m.noteScopeChanges(w)
}

// expectKind fails the run if the error of a single statement is not the expected one.
func (m *model) expectKind(rt *rapid.T, w *work, err error) {
	s := w.statements[0]
	if len(w.statements) > 1 || err == nil || m.sessionRefused(err) {
		return
	}
	if s.want.err != nil {
		require.ErrorIs(rt, err, s.want.err, w.what)
	}
	if s.want.state != "" {
		require.True(rt, hasState(err, s.want.state), "%s: %v, want SQLSTATE %s", w.what, err, s.want.state)
	}
}

// noteScopeChanges marks the sessions whose scope a statement may have changed. At Logins the next
// unit of work of such a session is refused.
func (m *model) noteScopeChanges(w *work) {
	for _, s := range w.statements {
		for _, pid := range m.entered {
			m.scopeChanged[pid] = m.scopeChanged[pid] || s.changesScope
		}
	}
}

// sessionRefused reports whether err refuses a session at Logins, as it must if the tenant's own
// statements have changed the session.
func (m *model) sessionRefused(err error) bool {
	if m.level.level != schemactx.Logins || !is(err, schemactx.ErrScopeChanged) {
		return false
	}
	for _, pid := range m.entered {
		if m.scopeChanged[pid] {
			return true
		}
	}
	return false
}

// settle sets the fate of the rows that statements have written.
func (m *model) settle(schema, unit string, statements []*statement, fate fate) {
	var group int64
	for _, s := range statements {
		for _, id := range s.ids {
			if group == 0 {
				group = id
			}
			m.rows[id] = &row{schema: schema, fate: fate, group: group, unit: unit}
		}
		for _, id := range s.held {
			m.rows[id] = &row{schema: schema, fate: fate, held: true, group: id, unit: unit}
		}
	}
}

func (m *model) drawSchema(rt *rapid.T) string {
	return rapid.SampledFrom([]string{
		rich, remote, plain, public, rich, remote, plain, rich, remote, absent, hollow, bare,
	}).Draw(rt, "schema")
}
