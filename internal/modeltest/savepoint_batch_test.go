package modeltest

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// savepointBatch runs a batch in a transaction. The batch makes a savepoint, writes a row, rolls
// back to the savepoint and writes another row. If the transaction has failed after a savepoint
// that was made by a statement, the batch begins with a rollback to it.
func (m *model) savepointBatch(rt *rapid.T) {
	tx := m.drawTx(rt)
	handle, at := tx.handle()
	if tx.aborted && at == len(tx.levels)-1 {
		rt.SkipNow()
	}
	m.panicAt, m.cancelled = "", false
	undoes, keeps := m.insert(), m.insert()
	b, back := &pgx.Batch{}, -1
	if tx.aborted {
		back = tx.innermost(at + 1)
		b.Queue("rollback to " + tx.levels[back].name)
	}
	b.Queue("savepoint b")
	b.Queue(undoes.sql, undoes.args...)
	b.Queue(rapid.SampledFrom([]string{"rollback to b", "ROLLBACK TO SAVEPOINT b;"}).Draw(rt, "text"))
	b.Queue(keeps.sql, keeps.args...)
	b.Queue("release b")
	what := "batch"
	for _, q := range b.QueuedQueries {
		what += " " + strings.TrimSuffix(q.SQL, ";") + ";"
	}
	o, over := m.stepIn(rt, tx, what, func(ctx context.Context) error { return handle.SendBatch(ctx, b).Close() })
	changed := tx.any(scopeChanged)
	switch {
	case over && (m.lost() || changed):
		m.giveUp(rt, tx)
		return
	case over, o.err != nil && !m.lost() && (!tx.worked || !outdated(o.err)):
		rt.Fatalf("%s in a transaction of %s: %v", what, tx.schema, o.err)
	case o.err != nil:
		tx.worked, tx.aborted = true, true
		return
	}
	tx.worked = true
	if back >= 0 {
		m.cut(tx, back)
		changed = tx.any(scopeChanged)
	}
	require.False(rt, changed, "%s runs after the scope has been changed", what)
	m.settle(tx.schema, tx.unit, []*statement{undoes}, undone)
	tx.top().done = append(tx.top().done, keeps)
	m.settle(tx.schema, tx.unit, tx.top().done, pending)
}

// insert returns a statement that writes a row.
func (m *model) insert() *statement {
	id := m.newID()
	return &statement{sql: "insert into ledger (id) values ($1)", args: []any{id}, ids: []int64{id}}
}

// innermost returns the level of the newest savepoint that has the same name as the one at level i.
func (tx *openTx) innermost(i int) int {
	for j := i + 1; j < len(tx.levels); j++ {
		if tx.levels[j].name == tx.levels[i].name {
			i = j
		}
	}
	return i
}
