package migrate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/oryne/pgtenant/internal/schemalock"
)

// batch is a group of schemas that a worker migrates under advisory locks of its session. The locks
// are taken in one statement and held from the reading of the versions to the last commit, so that
// no transaction takes a lock or reads the versions again. The transactions are sent as one
// pipeline. If the connection is lost, the locks and all uncommitted work end with it.
type batch struct {
	w      *worker
	q      *queue
	groups [][]member // each shares a transaction, or is one schema with several
	single []member   // to be migrated one by one after the locks are released
	named  string     // the schemas that are locked, as an array's text; empty: none
	begun  time.Time  // when the current transaction began
}

// batch migrates schemas as a batch.
func (w *worker) batch(ctx, work context.Context, q *queue, members []member) {
	b := &batch{w: w, q: q}
	if err := b.enter(work, members); err != nil {
		b.single = members // migrating each alone reports the error, if it persists
	}
	for len(b.groups) > 0 {
		b.send(ctx, work)
	}
	b.leave(work)
	for i := range b.single {
		if m := b.single[i]; m.started || w.f.stopReason(ctx) == nil {
			w.migrateAlone(work, q, m)
		} else {
			q.requeue(b.single[i : i+1])
		}
	}
}

// enter locks the schemas, reads their states and groups them into transactions.
func (b *batch) enter(ctx context.Context, members []member) error {
	w := b.w
	if err := w.connect(ctx); err != nil {
		return err
	}
	locked, err := b.lock(ctx, members)
	if err != nil {
		return err
	}
	s := w.f.survey
	if err := s.reread(ctx, w.s.pooled, locked); err != nil {
		return err
	}
	kept := make([]member, 0, len(locked))
	for _, m := range locked {
		kept = append(kept, *m)
	}
	readTableInfo(kept, func(tables string) ([][][]byte, error) { return w.query(ctx, tableInfoSQL, tables) })
	var group []member
	for _, m := range kept {
		switch {
		case m.ready():
			if len(group) > 0 && !m.oneTransaction() {
				b.groups, group = append(b.groups, group), nil
			}
			group = append(group, m)
		case m.err == nil && m.outcome() == Current:
			b.q.started(&m)
			w.f.finished(m.result(nil)) // another runner was faster
		case m.err != nil && !m.tableLocked():
			b.q.started(&m)
			w.f.finished(m.failed(Result{}, m.err))
		default:
			b.single = append(b.single, m)
		}
		if len(group) == w.f.opts.PerTransaction || len(group) > 0 && !group[0].oneTransaction() {
			b.groups, group = append(b.groups, group), nil
		}
	}
	if len(group) > 0 {
		b.groups = append(b.groups, group)
	}
	return nil
}

// lock takes the locks that are free and returns their schemas. A schema that another runner has
// locked goes to the end of the queue. If it was there before, it is migrated by itself, which
// waits for the lock.
func (b *batch) lock(ctx context.Context, members []member) ([]*member, error) {
	var names []string
	for _, m := range members {
		names = append(names, m.schema)
	}
	b.named = "{" + strings.Join(names, ",") + "}"
	rows, err := b.w.query(ctx, schemalock.Migrate.TryKeysOf(), b.named)
	if err != nil {
		b.named = ""
		return nil, err
	}
	marked, err := b.w.query(ctx, schemalock.Migrate.HeldOf(), b.named)
	if err != nil {
		return nil, err
	}
	var locked []*member
	names = names[:0]
	for i := range members {
		m := &members[i]
		taken := string(rows[i][0]) == "t"
		if taken {
			names = append(names, m.schema)
		}
		switch {
		case taken && !slices.ContainsFunc(marked, func(row [][]byte) bool { return string(row[0]) == m.schema }):
			locked = append(locked, m)
		case !m.retried && b.w.f.r.cfg.LockRetries > 0:
			b.q.postpone(*m)
		default:
			b.single = append(b.single, *m)
		}
	}
	b.named = "{" + strings.Join(names, ",") + "}"
	return locked, nil
}

// leave releases the locks.
func (b *batch) leave(ctx context.Context) {
	w := b.w
	if w.s == nil {
		return
	}
	if b.named != "" && b.named != "{}" && !w.s.pg().IsClosed() {
		if err := w.s.exec(ctx, call{sql: schemalock.ReleaseAll}); err != nil {
			_ = w.s.conn().Close(ctx) // which releases the locks
		}
	}
	if w.s.pg().IsClosed() || w.served >= connectionServes {
		w.s.dirty = true
		w.release(ctx)
	}
}

// send sends the transactions of all groups and the release of the locks in one message. It removes
// the groups whose transactions are committed. After a transaction that fails, nothing more is
// executed.
func (b *batch) send(ctx, work context.Context) {
	r := b.w.f.r
	var calls []batchCall
	for _, group := range b.groups {
		calls = append(calls, transactions(r, group, b.w.s.start)...)
	}
	t := b.groups[0][0].target(r)
	calls = append(calls, batchCall{call: call{sql: schemalock.ReleaseAll}, t: t, checked: true})
	b.w.s.dirty = b.w.s.dirty || r.cfg.hooked // the unlocking also releases locks of a hook
	start, all := time.Now(), len(b.groups)
	b.begin()
	err := b.w.pipeline(work, calls, b.done)
	if done := all - len(b.groups); done > 0 {
		b.w.perSchema = time.Since(start) / time.Duration(done*b.w.f.opts.PerTransaction)
	}
	if err == nil {
		b.named = ""
		return
	}
	b.w.s.rollback(work)
	if len(b.groups) > 0 {
		b.failed(ctx, work, err)
	}
}

// begin sends EventStarted for the schemas of the first group.
func (b *batch) begin() {
	b.begun = time.Now()
	if len(b.groups) == 0 {
		return
	}
	for i := range b.groups[0] {
		b.q.started(&b.groups[0][i])
	}
}

// done records a committed transaction of the first group.
func (b *batch) done(c batchCall) {
	if !c.last {
		m := &b.groups[0][0] // the only schema of its group
		m.did(c.commits)
		return
	}
	took := time.Since(b.begun)
	group := b.groups[0]
	b.groups = b.groups[1:]
	b.w.served += len(group)
	for i := range group {
		b.w.f.finished(group[i].migrated(took))
	}
	b.begin()
}

// failed handles the error of the first group's transaction.
func (b *batch) failed(ctx, work context.Context, err error) {
	group, rest := b.groups[0], b.groups[1:]
	switch {
	case b.w.s.pg().IsClosed(): // what was sent may still be committed
		b.groups = nil
		for _, g := range append([][]member{group}, rest...) {
			b.lost(work, g, err)
		}
		return
	case len(group) > 1: // all are rolled back: migrate each alone to find the one that fails
		b.groups = nil
		for _, m := range group {
			b.groups = append(b.groups, []member{m})
		}
		b.groups = append(b.groups, rest...)
		return
	}
	b.groups = rest
	m := group[0]
	var failure *batchError
	retry := retryable(err) && b.w.f.r.cfg.LockRetries > 0
	switch {
	case retry && !m.retried:
		b.q.postpone(m)
	case retry, errors.As(err, &failure) && !failure.checked: // the version table may have changed: read it again
		b.single = append(b.single, m)
	default:
		res := m.failed(Result{}, err)
		res.Duration = time.Since(b.begun)
		b.w.f.finished(m.withAttempts(res))
	}
	if b.w.f.stopReason(ctx) != nil {
		for _, g := range b.groups {
			b.q.requeue(g)
		}
		b.groups = nil
	}
}

// lost handles schemas whose transaction was sent over a connection that was lost.
func (b *batch) lost(ctx context.Context, group []member, err error) {
	for _, m := range group {
		b.q.started(&m)
		if ctx.Err() == nil {
			m.lost = m.line
			b.single = append(b.single, m) // reads the version table again
			continue
		}
		b.w.f.finished(m.withAttempts(m.failed(Result{}, errors.Join(context.Cause(ctx), err))))
	}
}
