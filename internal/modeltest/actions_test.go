package modeltest

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// actions returns the steps by name. A step with several names is drawn more often.
func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":              m.check,
		"alone":         m.alone,
		"alone too":     m.alone,
		"begin":         m.begin,
		"inside":        m.inside,
		"inside too":    m.inside,
		"savepoint":     m.savepoint,
		"end savepoint": m.endSavepoint,
		"batch of them": m.savepointBatch,
		"commit":        m.commit,
		"rollback":      func(rt *rapid.T) { m.rollback(rt, m.drawTx(rt)) },
		"closure":       m.closure,
		"kill":          m.killOne,
		"alter":         m.alter,
		"unprepared":    m.unprepared,
	}
}

// check checks the pools, the idle connections and the rows, and what a next tenant finds.
func (m *model) check(rt *rapid.T) {
	m.rt = rt
	for _, found := range []string{m.checkPools(), m.checkConnections(), m.checkRows()} {
		require.Empty(rt, found)
	}
	next := rapid.SampledFrom([]string{"nobody", rich, remote, plain, public}).Draw(rt, "next")
	if next == "nobody" || !m.free(next) {
		return
	}
	m.panicAt, m.cancelled, m.unit = "", false, ""
	s := &statement{sql: "select * from lib.session_state", readsState: true}
	o := m.step(rt, next, "look", func(ctx context.Context) error {
		rows, err := m.db.Query(ctx, s.sql)
		if err != nil {
			return err
		}
		return m.read(rows, s)
	})
	if !m.lost() && !m.sessionRefused(o.err) {
		require.NoError(rt, o.err, "look in %s", next)
	}
	if o.err == nil {
		m.committed(next)
	}
}

// killOne ends a backend, whatever it is doing.
func (m *model) killOne(rt *rapid.T) {
	live := slices.DeleteFunc(
		slices.Clone(m.opened), func(c *pgx.Conn) bool { return c.IsClosed() || m.gone[c.PgConn().PID()] },
	)
	if len(live) == 0 {
		rt.SkipNow()
	}
	i := rapid.IntRange(0, len(live)-1).Draw(rt, "connection")
	m.logf("         kill connection %d", slices.Index(m.opened, live[i]))
	m.kill(live[i].PgConn().PID())
}

// alter changes the columns of a table, as a migration does, so that statements on it must be
// prepared again.
func (m *model) alter(rt *rapid.T) {
	schema := rapid.SampledFrom(served).Draw(rt, "schema")
	for _, tx := range m.txs {
		if tx.schema == schema {
			rt.SkipNow()
		}
	}
	if m.free(schema) { // prepares a statement that is stale afterwards
		m.panicAt, m.cancelled, m.unit = "", false, ""
		m.step(rt, schema, "select * from shape", func(ctx context.Context) error {
			_, err := m.db.Exec(ctx, "select * from shape")
			return err
		})
	}
	m.logf("%-8s alter table shape", schema)
	_, err := m.owner.Exec(context.Background(), fmt.Sprintf(`alter table %[1]s.shape drop column b; alter table
		%[1]s.shape add column b %[2]s default '3'`,
		schema, rapid.SampledFrom([]string{"int", "text", "bigint"}).Draw(rt, "type")))
	require.NoError(rt, err)
	if !m.free(schema) {
		return
	}
	m.panicAt, m.cancelled, m.unit = "", false, ""
	o := m.step(rt, schema, "InTx select * from shape", func(ctx context.Context) error {
		return m.db.InTx(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "select * from shape")
			return err
		})
	})
	if !m.lost() && !m.sessionRefused(o.err) {
		require.NoError(rt, o.err, "the first statement of a transaction of %s", schema)
	}
}

// unprepared sends batches whose last statement cannot be prepared. Their other statements are more
// than a connection may keep prepared.
func (m *model) unprepared(rt *rapid.T) {
	schema := rapid.SampledFrom(served).Draw(rt, "schema")
	if !m.free(schema) {
		rt.SkipNow()
	}
	m.panicAt, m.cancelled, m.unit = "", false, ""
	o := m.step(rt, schema, "batches that cannot be prepared", func(ctx context.Context) (err error) {
		for i := range 2 * (capacity + 2*largest) {
			b := &pgx.Batch{}
			b.Queue(fmt.Sprintf("select %d", i))
			b.Queue("select from nothing_here")
			if err = m.db.SendBatch(ctx, b).Close(); m.lost() {
				return err
			}
		}
		return err
	})
	expected := m.lost() || m.sessionRefused(o.err) || hasState(o.err, "42P01") || hasState(o.err, "26000")
	require.True(rt, expected, "a missing table in %s: %v", schema, o.err)
}
