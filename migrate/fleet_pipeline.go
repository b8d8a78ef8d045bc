package migrate

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// batchCall is a call of a transaction that is sent in one message with others.
type batchCall struct {
	call
	t       target
	checked bool // follows the check that the versions are those for which the steps were chosen
	last    bool // of its group
}

// batchError is the error of such a transaction.
type batchError struct {
	err     error
	checked bool // the versions were checked, and a step failed: reading the versions again changes nothing
}

func (e *batchError) Error() string { return e.err.Error() }
func (e *batchError) Unwrap() error { return e.err }

// sendGroup migrates schemas in one transaction and one round trip, under [LockTable]. The steps
// were chosen without the lock. So the first statement under the lock fails if the version tables
// have changed since. The caller then migrates the schemas one by one, which reads the versions
// again.
func (w *worker) sendGroup(ctx context.Context, group []member) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	if err := w.pipeline(ctx, transactions(w.f.r, group, w.s.start), func(batchCall) {}); err != nil {
		w.s.rollback(ctx)
		w.release(ctx)
		return err
	}
	if w.served += len(group); w.served >= connectionServes {
		w.release(ctx)
	}
	return nil
}

// transactions returns the calls of a group: either several schemas that share one transaction, or
// one schema with several transactions.
func transactions(r *Runner, group []member, start sessionStart) []batchCall {
	t := group[0].target(r)
	var calls []batchCall
	rounds := len(t.transactions(group[0].line.steps))
	comments := make([]string, len(group))
	for i := range group {
		comments[i] = group[i].info.comment
	}
	for round := range rounds {
		last := round == rounds-1
		calls = append(calls, batchCall{call: call{sql: beginSQL}, t: t})
		commits, keepsSession := 0, true
		for i := range group {
			steps := group[i].target(r).transactions(group[i].line.steps)[round]
			calls = append(calls, group[i].batchCalls(r, batchPart{round, last, steps}, &comments[i], start)...)
			commits += len(steps)
			keepsSession = keepsSession && !slices.ContainsFunc(steps, func(st step) bool { return !st.keepsSession(start) })
		}
		calls = append(calls, batchCall{call: call{sql: commitSQL, commits: commits}, t: t, checked: true, last: last})
		if keepsSession {
			continue
		}
		for _, c := range clean(start) {
			calls = append(calls, batchCall{call: c, t: t, checked: true})
		}
	}
	return calls
}

// pipeline sends calls in one message. It calls done for each transaction that was committed.
func (w *worker) pipeline(ctx context.Context, calls []batchCall, done func(batchCall)) error {
	p := w.s.pg().StartPipeline(ctx)
	for _, c := range calls {
		w.s.dirty = w.s.dirty || !c.keepsSession(w.s.start)
		p.SendQueryParams(c.sql, bytesOf(c.args), nil, nil, nil)
	}
	err := p.Sync()
	for i := 0; err == nil && i < len(calls); i++ {
		c := calls[i]
		if err = result(p); err != nil {
			err = &batchError{err: c.t.failure(c.call, err), checked: c.checked}
		} else if c.commits > 0 {
			done(c)
		}
	}
	if closed := closePipeline(p, err); err == nil {
		err = closed
	}
	return err
}

func (m *member) target(r *Runner) target {
	t, err := r.target(m.schema)
	if err != nil {
		t.schema = m.schema // an invalid name: every use of it fails
	}
	return t
}

// batchPart is the part of a schema's steps that one transaction runs.
type batchPart struct {
	round int
	last  bool // the last transaction of the schema: only its commit waits for the disk
	steps []step
}

// batchCalls returns the calls of one schema in one transaction. comment is the comment of its
// version table; batchCalls sets it to the new comment.
func (m *member) batchCalls(r *Runner, part batchPart, comment *string, start sessionStart) []batchCall {
	t := m.target(r)
	round, steps := part.round, part.steps
	stamp := m.info.now() + int64(round) // each transaction has its own time; see [target.finish]
	calls := []batchCall{{call: t.settingsWith("true", !part.last), t: t, checked: round > 0}}
	if t.cfg.Lock == LockTable {
		calls = append(calls, batchCall{call: t.lockTable(), t: t})
	}
	calls = append(calls, batchCall{call: m.recordAll(t, steps, stamp), t: t, checked: round > 0})
	add := func(all ...call) {
		for _, c := range all {
			calls = append(calls, batchCall{call: c, t: t, checked: true})
		}
	}
	add(t.timeout("true")...)
	for i := range steps {
		work, resets, changed := t.work(&steps[i], start)
		add(work...)
		if changed { // another step or schema may follow
			add(resets...)
			add(t.settings("true"))
			add(t.timeout("true")...)
		}
	}
	newest := steps[len(steps)-1].m.version
	has := func(v int64) bool { return m.line.state.has(v) || v <= newest && slices.Contains(m.line.pending, v) }
	if note, ok := noteWith(*comment, stamp, steps, has); ok {
		*comment = note
		add(call{sql: "comment on table " + t.table + " is " + literal(note)})
	}
	return calls
}

// recordAll returns the call that inserts the rows of the steps into the version table. Under
// [LockTable] the steps were chosen without the lock, so the call divides by zero if the table has
// changed since. A subquery for that costs half of what a statement of its own does.
func (m *member) recordAll(t target, steps []step, stamp int64) call {
	var sql strings.Builder
	sql.WriteString("insert into " + t.table + " (version_id, is_applied, tstamp) values ")
	for i, st := range steps {
		version := strconv.FormatInt(st.m.version, 10)
		if i == 0 && t.cfg.Lock == LockTable {
			version += " / (coalesce((select array_agg(case when is_applied then version_id else -1 - version_id end) from " +
				t.table + ") = '" + m.line.rows + "', false))::int"
		}
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("(" + version + ", true, " + timestamp(stamp) + ")")
	}
	return call{sql: sql.String()}
}
