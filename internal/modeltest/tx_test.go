package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/oryne/pgtenant/schemactx"
)

// openTx is an open transaction.
type openTx struct {
	schema  string
	unit    string       // its setting app.unit
	levels  []*savepoint // the first is the transaction itself
	pid     uint32
	aborted bool // a statement has failed
	worked  bool // a statement was sent, so a stale prepared statement cannot be retried
}

// savepoint is a savepoint and the statements after it.
type savepoint struct {
	tx           pgx.Tx // nil if a statement made the savepoint
	name         string
	done         []*statement
	scopeChanged bool // a statement has changed the scope
	late         bool // a statement has made the commit fail
}

func (tx *openTx) root() pgx.Tx    { return tx.levels[0].tx }
func (tx *openTx) top() *savepoint { return tx.levels[len(tx.levels)-1] }

// handle returns the innermost pgx.Tx and its level.
func (tx *openTx) handle() (pgx.Tx, int) {
	i := len(tx.levels) - 1
	for tx.levels[i].tx == nil {
		i--
	}
	return tx.levels[i].tx, i
}

// any reports whether a level satisfies is.
func (tx *openTx) any(is func(*savepoint) bool) bool {
	for _, l := range tx.levels {
		if is(l) {
			return true
		}
	}
	return false
}

func scopeChanged(l *savepoint) bool { return l.scopeChanged }
func late(l *savepoint) bool         { return l.late }

// cut undoes the statements of a level and of the levels above it, and removes the levels above it.
func (m *model) cut(tx *openTx, level int) {
	for _, l := range tx.levels[level:] {
		m.settle(tx.schema, tx.unit, l.done, undone)
	}
	l := tx.levels[level]
	l.done, l.scopeChanged, l.late = nil, false, false
	tx.levels, tx.aborted = tx.levels[:level+1], false
}

// merge adds a level and the levels above it to the one below.
func (tx *openTx) merge(level int) {
	below := tx.levels[level-1]
	for _, l := range tx.levels[level:] {
		below.done = append(below.done, l.done...)
		below.scopeChanged = below.scopeChanged || l.scopeChanged
		below.late = below.late || l.late
	}
	tx.levels = tx.levels[:level]
}

// over removes a transaction from the list and sets the fate of its rows.
func (m *model) over(tx *openTx, fate fate) {
	var all []*statement
	for _, l := range tx.levels {
		all = append(all, l.done...)
	}
	m.settle(tx.schema, tx.unit, all, fate)
	for i := range m.txs {
		if m.txs[i] == tx {
			m.txs = append(m.txs[:i:i], m.txs[i+1:]...)
			return
		}
	}
}

// begin opens a transaction.
func (m *model) begin(rt *rapid.T) {
	schema := rapid.SampledFrom(served).Draw(rt, "schema")
	if !m.free(schema) {
		rt.SkipNow()
	}
	m.panicAt = ""
	m.fault(rt)
	m.drawUnit(rt)
	cancelled := m.cancelled
	var tx pgx.Tx
	o := m.step(rt, schema, "begin", func(ctx context.Context) (err error) {
		tx, err = m.db.Begin(ctx)
		return err
	})
	switch {
	case m.panicDone, cancelled, m.lost() && o.err != nil:
	case o.err != nil:
		rt.Fatalf("begin in %s: %v", schema, o.err)
	}
	if tx != nil && o.err == nil && o.panicked == nil {
		m.txs = append(m.txs, &openTx{schema: schema, unit: m.unit, levels: []*savepoint{{tx: tx}}, pid: m.entered[0]})
	}
}

// drawTx draws one of the open transactions.
func (m *model) drawTx(rt *rapid.T) *openTx {
	if len(m.txs) == 0 {
		rt.SkipNow()
	}
	return m.txs[rapid.IntRange(0, len(m.txs)-1).Draw(rt, "transaction")]
}

// stepIn runs a step in a transaction. over says that the transaction has ended and its connection
// is back in the pool.
func (m *model) stepIn(
	rt *rapid.T, tx *openTx, what string, fn func(ctx context.Context) error,
) (o outcome, over bool) {
	m.unit, m.wantUnit = tx.unit, tx.unit
	if rapid.IntRange(0, 3).Draw(rt, "other context") == 3 { // the transaction keeps its first setting
		m.unit = ""
	}
	lost := m.connection(tx.pid).IsClosed()
	o = m.stepWithin(rt, tx.schema, what, fn)
	m.entered, m.killed = append(m.entered, tx.pid), m.killed || lost
	return o, slices.Contains(m.left, tx.pid)
}

// inside runs a call in a transaction.
func (m *model) inside(rt *rapid.T) {
	tx := m.drawTx(rt)
	m.panicAt = ""
	w := m.work(rt, tx.schema, false)
	m.fault(rt)
	m.runInside(rt, tx, w)
}

func (m *model) runInside(rt *rapid.T, tx *openTx, w *work) {
	handle, _ := tx.handle()
	before := m.cancelled
	o, over := m.stepIn(rt, tx, w.what, func(ctx context.Context) error { return w.call(ctx, handle) })
	fail, mayFail := m.expectFailure(w, true)
	what := fmt.Sprintf("%s in a transaction of %s", w.what, tx.schema)
	switch {
	case m.panicDone || m.lost() && over:
		m.giveUp(rt, tx)
		return
	case over:
		refused, changed := false, tx.any(scopeChanged)
		for _, s := range w.statements {
			refused = refused || s.want.err != nil
			changed = changed || s.changesScope
		}
		require.True(rt, refused || changed, "%s ends the transaction: %v", what, o.err)
		require.ErrorIs(rt, o.err, schemactx.ErrTransactionEnded, what)
		m.giveUp(rt, tx)
		return
	case before && o.err == nil:
		rt.Fatalf("%s runs under a context that is over", what)
	case m.lost():
	case tx.aborted && o.err == nil:
		rt.Fatalf("%s runs after an error", what)
	case tx.aborted:
	case tx.any(scopeChanged):
		rt.Fatalf("%s runs after the scope has been changed: %v", what, o.err)
	case o.err == nil && fail:
		rt.Fatalf("%s must fail", what)
	case (tx.worked || w.given) && outdated(o.err):
	case o.err != nil && !fail && !mayFail && (!w.callback || !errors.Is(o.err, errCallback)) && !m.sessionRefused(o.err):
		rt.Fatalf("%s must not fail: %v", what, o.err)
	}
	if !m.lost() && !tx.aborted {
		m.expectKind(rt, w, o.err)
	}
	tx.worked = tx.worked || !before
	m.settle(tx.schema, tx.unit, w.statements, undone) // until the commit
	m.noteScopeChanges(w)
	if tx.aborted {
		return
	}
	tx.aborted = m.connection(tx.pid).PgConn().TxStatus() == 'E'
	if tx.aborted || o.err != nil && !w.callback {
		return
	}
	top := tx.top()
	for _, s := range w.statements {
		top.done = append(top.done, s)
		top.scopeChanged = top.scopeChanged || s.changesScope
		top.late = top.late || s.late
	}
	m.settle(tx.schema, tx.unit, top.done, pending)
}

// connection returns the connection of a backend.
func (m *model) connection(pid uint32) *pgx.Conn {
	i := slices.IndexFunc(m.opened, func(c *pgx.Conn) bool { return c.PgConn().PID() == pid })
	return m.opened[i]
}

// giveUp rolls back a transaction that cannot continue, as a deferred Rollback does.
func (m *model) giveUp(rt *rapid.T, tx *openTx) {
	m.cancelled, m.panicAt = false, ""
	delete(m.clean, tx.pid)
	m.unit = ""
	m.step(rt, tx.schema, "rollback, deferred", tx.root().Rollback)
	m.over(tx, undone)
}

// savepoint makes a savepoint by Begin or by a statement.
func (m *model) savepoint(rt *rapid.T) {
	tx := m.drawTx(rt)
	if tx.aborted {
		rt.SkipNow()
	}
	m.panicAt, m.cancelled = "", false
	handle, _ := tx.handle()
	name := rapid.SampledFrom([]string{"", "s1", "s2"}).Draw(rt, "name")
	var nested pgx.Tx
	if name == "" {
		o, _ := m.stepIn(rt, tx, "begin a savepoint", func(ctx context.Context) (err error) {
			nested, err = handle.Begin(ctx)
			return err
		})
		if o.err != nil {
			if m.lost() {
				m.giveUp(rt, tx)
				return
			}
			require.NoError(rt, o.err, "begin a savepoint")
		}
	} else if !m.control(
		rt, tx, rapid.SampledFrom([]string{"savepoint %s", "SAVEPOINT %s;", "/* orm */ savepoint \"%s\""}).Draw(rt, "text"),
		name,
	) {
		return
	}
	tx.levels = append(tx.levels, &savepoint{tx: nested, name: name})
}

// control runs a statement about a savepoint. It reports whether it succeeded and the transaction
// is still open.
func (m *model) control(rt *rapid.T, tx *openTx, text, name string) bool {
	handle, _ := tx.handle()
	sql := fmt.Sprintf(text, name)
	o, over := m.stepIn(rt, tx, sql, func(ctx context.Context) error {
		_, err := handle.Exec(ctx, sql)
		return err
	})
	switch {
	case over && (m.lost() || tx.any(scopeChanged)):
		m.giveUp(rt, tx)
		return false
	case over || o.err != nil && !m.lost():
		rt.Fatalf("%s in a transaction of %s: %v", sql, tx.schema, o.err)
	}
	tx.worked = true
	return o.err == nil
}

// endSavepoint ends the innermost savepoint, or one that was made by a statement.
func (m *model) endSavepoint(rt *rapid.T) {
	tx := m.drawTx(rt)
	m.panicAt, m.cancelled = "", false
	back := rapid.Bool().Draw(rt, "back")
	handle, at := tx.handle()
	if at < len(tx.levels)-1 {
		i := tx.innermost(rapid.IntRange(at+1, len(tx.levels)-1).Draw(rt, "level"))
		name := tx.levels[i].name
		texts := []string{"release %s", "RELEASE SAVEPOINT %s"}
		if back {
			texts = []string{
				"rollback to %s", "ROLLBACK TO SAVEPOINT %s", "rollback work to %s", "rollback transaction to savepoint %s",
			}
		} else if tx.aborted {
			rt.SkipNow()
		}
		if !m.control(rt, tx, rapid.SampledFrom(texts).Draw(rt, "text"), name) {
			return
		}
		if back {
			m.cut(tx, i)
		} else {
			tx.merge(i)
		}
		return
	}
	if at == 0 {
		rt.SkipNow()
	}
	end, what := handle.Commit, "commit a savepoint"
	if back {
		end, what = handle.Rollback, "roll back to a savepoint"
	}
	o, over := m.stepIn(rt, tx, what, func(ctx context.Context) error { return end(ctx) })
	switch {
	case m.lost() || over && tx.any(scopeChanged):
		m.giveUp(rt, tx)
		return
	case over, back && o.err != nil, !back && (o.err != nil) != tx.aborted,
		tx.aborted && !back && !is(o.err, pgx.ErrTxCommitRollback):
		rt.Fatalf("%s in %s: %v", what, tx.schema, o.err)
	}
	if back || tx.aborted {
		m.cut(tx, at)
	}
	tx.merge(at)
}

// commit commits a transaction.
func (m *model) commit(rt *rapid.T) {
	tx := m.drawTx(rt)
	m.panicAt = ""
	m.fault(rt)
	before := m.cancelled
	delete(m.clean, tx.pid)
	o, over := m.stepIn(rt, tx, "commit", func(ctx context.Context) error { return tx.root().Commit(ctx) })
	fate := undone
	switch {
	case m.panicDone:
		m.giveUp(rt, tx)
		m.over(tx, unknown)
		return
	case !over && o.err == nil, !over && !before:
		rt.Fatalf("commit in %s gives no connection back: %v", tx.schema, o.err)
	case !over:
		m.giveUp(rt, tx)
		return
	case before && o.err == nil && m.wrote(tx):
		rt.Fatalf("commit in %s under a context that is over", tx.schema)
	case before:
	case m.lost():
		fate = unknown
	case o.err == nil && (tx.aborted || tx.any(late)):
		rt.Fatalf("commit in %s must fail", tx.schema)
	case o.err == nil:
		fate = committed
		if m.wrote(tx) {
			m.committed(tx.schema)
		}
	case tx.aborted && !is(o.err, pgx.ErrTxCommitRollback):
		rt.Fatalf("commit in %s: %v, want %v", tx.schema, o.err, pgx.ErrTxCommitRollback)
	case !tx.aborted && !tx.any(late) && !tx.any(scopeChanged):
		rt.Fatalf("commit in %s must not fail: %v", tx.schema, o.err)
	}
	m.over(tx, fate)
}

// wrote reports whether a transaction has statements to commit.
func (m *model) wrote(tx *openTx) bool {
	return tx.any(func(l *savepoint) bool { return len(l.done) > 0 })
}

// rollback rolls back a transaction.
func (m *model) rollback(rt *rapid.T, tx *openTx) {
	m.panicAt = ""
	m.cancelled = rapid.IntRange(0, 4).Draw(rt, "cancelled") == 4
	delete(m.clean, tx.pid)
	o, over := m.stepIn(rt, tx, "rollback", tx.root().Rollback)
	require.True(rt, over, "rollback in %s gives no connection back: %v", tx.schema, o.err)
	if !m.lost() {
		require.NoError(rt, o.err, "rollback in %s", tx.schema)
	}
	m.over(tx, undone)
}

// closure runs a call in InTx.
func (m *model) closure(rt *rapid.T) {
	schema := rapid.SampledFrom(served).Draw(rt, "schema")
	if !m.free(schema) {
		rt.SkipNow()
	}
	m.panicAt = ""
	w := m.work(rt, schema, false)
	ends := rapid.SampledFrom([]string{"nil", "error", "panic"}).Draw(rt, "ends")
	m.fault(rt)
	m.drawUnit(rt)
	if ends == "panic" {
		m.panicAt = "closure"
	}
	before := m.cancelled
	o := m.step(rt, schema, "InTx ("+ends+") "+w.what, func(ctx context.Context) error {
		return m.db.InTx(ctx, func(tx pgx.Tx) error {
			if err := w.call(ctx, tx); err != nil {
				return err
			}
			m.at("closure")
			if ends == "error" {
				return errCallback
			}
			return nil
		})
	})
	fail, mayFail := m.expectFailure(w, false)
	fate := undone
	switch {
	case before && !m.panicDone && o.err == nil:
		rt.Fatalf("a transaction of %s runs under a context that is over", schema)
	case m.panicDone || m.lost():
		fate = unknown
	case o.err == nil && (fail || ends != "nil"):
		rt.Fatalf("InTx %s in %s must fail", w.what, schema)
	case o.err == nil:
		fate = committed
		m.committed(schema)
	case w.given && outdated(o.err):
	case ends == "nil" && !fail && !mayFail && (!w.callback || !errors.Is(o.err, errCallback)) && !m.sessionRefused(o.err):
		rt.Fatalf("InTx %s in %s must not fail: %v", w.what, schema, o.err)
	}
	m.settle(schema, m.unit, w.statements, fate)
	m.noteScopeChanges(w)
}
