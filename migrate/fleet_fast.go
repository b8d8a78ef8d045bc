package migrate

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// fastCall is a call of a transaction that goes out as a whole.
type fastCall struct {
	call
	t       target
	name    string // of the prepared statement that does the same
	checked bool   // behind the check that the versions are those that the steps were chosen for
	last    bool   // of its transaction
}

// fastError is the error of such a transaction.
type fastError struct {
	err     error
	checked bool // the steps were right, and one failed: nothing else would come of a second look
}

func (e *fastError) Error() string { return e.err.Error() }
func (e *fastError) Unwrap() error { return e.err }

// fast migrates schemas in one transaction and one round trip, under [LockTable]. What is to be done was decided without the
// lock, so the first statement under it fails unless the versions are still those; whoever calls goes the slower way then.
func (w *worker) fast(ctx context.Context, group []member) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	if err := w.pipeline(ctx, transaction(w.f.r, group), func() {}); err != nil {
		w.s.rollback(ctx)
		w.release(ctx)
		return err
	}
	if w.served += len(group); w.served >= connectionServes {
		w.s.spent = true
		w.release(ctx)
	}
	return nil
}

// transaction returns the calls of the transaction of a group.
func transaction(r *Runner, group []member) []fastCall {
	t := group[0].target(r)
	calls := []fastCall{{call: call{sql: beginSQL}, t: t, name: beginName}}
	for i := range group {
		calls = append(calls, group[i].fastCalls(r)...)
	}
	return append(calls, fastCall{call: call{sql: commitSQL}, t: t, name: commitName, checked: true, last: true})
}

// pipeline sends calls in one message, and calls done for each transaction that has ended.
func (w *worker) pipeline(ctx context.Context, calls []fastCall, done func()) error {
	p := w.s.pg().StartPipeline(ctx)
	for _, c := range calls {
		if c.name != "" && w.prepared {
			p.SendQueryPrepared(c.name, bytesOf(c.args), nil, nil)
		} else {
			p.SendQueryParams(c.sql, bytesOf(c.args), nil, nil, nil)
		}
	}
	err := p.Sync()
	for i := 0; err == nil && i < len(calls); i++ {
		var res any
		res, err = p.GetResults()
		if rr, ok := res.(*pgconn.ResultReader); ok {
			_, err = rr.Close()
		}
		switch {
		case err == nil && calls[i].last:
			done()
		case err != nil:
			err = &fastError{err: calls[i].t.failure(calls[i].call, err), checked: calls[i].checked}
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
		t.schema = m.schema // whose name is refused wherever it is used
	}
	return t
}

// fastCalls returns the calls for one schema of the transaction.
func (m *member) fastCalls(r *Runner) []fastCall {
	t := m.target(r)
	steps := m.line.steps
	stamp := m.kit.now()
	calls := []fastCall{{call: t.settings("true"), t: t, name: enterName}}
	if t.cfg.Lock == LockTable {
		calls = append(calls, fastCall{call: call{sql: "lock table " + t.table + " in share row exclusive mode"}, t: t})
	}
	calls = append(calls, fastCall{call: m.recordAll(t, stamp), t: t})
	for _, c := range t.timeout("true") {
		calls = append(calls, fastCall{call: c, t: t, checked: true})
	}
	for i := range steps {
		work, resets, strays := t.work(&steps[i])
		if strays { // another step or schema may follow
			work = append(append(work, resets...), t.settings("true"))
			work = append(work, t.timeout("true")...)
		}
		for _, c := range work {
			calls = append(calls, fastCall{call: c, t: t, checked: true})
		}
	}
	if note, ok := noteWith(m.kit.comment, stamp, steps); ok {
		comment := call{sql: "comment on table " + t.table + " is '" + strings.ReplaceAll(note, "'", "''") + "'"}
		calls = append(calls, fastCall{call: comment, t: t, checked: true})
	}
	return calls
}

// recordAll returns the call that writes the steps down. Where they were chosen without the lock it divides by zero unless
// the table still says what they were chosen for. A subquery costs half of what a statement of its own does.
func (m *member) recordAll(t target, stamp int64) call {
	at := time.UnixMicro(stamp).UTC().Format("'2006-01-02 15:04:05.000000'")
	var sql strings.Builder
	sql.WriteString("insert into " + t.table + " (version_id, is_applied, tstamp) values ")
	for i, v := range m.line.pending {
		version := strconv.FormatInt(v, 10)
		if i == 0 && t.cfg.Lock == LockTable {
			version += " / (coalesce((select array_agg(case when is_applied then version_id else -1 - version_id end) from " +
				t.table + ") = '" + m.line.rows + "', false))::int"
		}
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("(" + version + ", true, " + at + ")")
	}
	return call{sql: sql.String()}
}
