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
	checked bool // behind the check that the versions are those that the steps were chosen for
}

// fastError is the error of such a transaction.
type fastError struct {
	err     error
	checked bool // the steps were right, and one failed: nothing else would come of a second look
}

func (e *fastError) Error() string { return e.err.Error() }
func (e *fastError) Unwrap() error { return e.err }

// fast migrates schemas in one transaction and one round trip. What is to be done was decided without the lock, so
// the first statement under it fails unless the versions are still those; whoever calls goes the slower way then.
func (f *fleet) fast(ctx context.Context, group []member) error {
	calls := []fastCall{{call: call{sql: "begin isolation level read committed"}}}
	for i := range group {
		calls = append(calls, group[i].fastCalls(f.r)...)
	}
	calls = append(calls, fastCall{call: call{sql: "commit"}, checked: true})
	s, err := f.r.session(ctx, group[0].target(f.r))
	if err != nil {
		return err
	}
	defer s.close(ctx)
	if err := s.fastPipeline(ctx, calls); err != nil {
		s.rollback(ctx)
		return err
	}
	return nil
}

func (s *session) fastPipeline(ctx context.Context, calls []fastCall) error {
	p := s.pg().StartPipeline(ctx)
	for _, c := range calls {
		p.SendQueryParams(c.sql, bytesOf(c.args), nil, nil, nil)
	}
	err := p.Sync()
	for i := 0; err == nil && i < len(calls); i++ {
		var res any
		res, err = p.GetResults()
		if rr, ok := res.(*pgconn.ResultReader); ok {
			_, err = rr.Close()
		}
		if err != nil {
			t := calls[i].t
			if t.schema == "" {
				t = s.t
			}
			err = &fastError{err: t.failure(calls[i].call, err), checked: calls[i].checked}
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
	var work []call
	for i := range steps {
		calls, resets, strays := t.work(&steps[i])
		work = append(work, calls...)
		if strays && i < len(steps)-1 {
			work = append(append(work, resets...), t.settings("true"))
			work = append(work, t.timeout("true")...)
		} else if strays { // another schema may follow
			work = append(work, resets...)
		}
	}
	stamp := m.kit.now()
	calls := []fastCall{{call: t.enter(), t: t}}
	if t.cfg.Lock == LockTable {
		calls = append(calls, fastCall{call: call{sql: "lock table " + t.table + " in share row exclusive mode"}, t: t})
	}
	calls = append(calls, fastCall{call: m.recordAll(t, stamp), t: t})
	for _, c := range append(t.timeout("true"), work...) {
		calls = append(calls, fastCall{call: c, t: t, checked: true})
	}
	if note, ok := noteWith(m.kit.comment, stamp, steps); ok {
		comment := call{sql: "comment on table " + t.table + " is '" + strings.ReplaceAll(note, "'", "''") + "'"}
		calls = append(calls, fastCall{call: comment, t: t, checked: true})
	}
	return calls
}

// enter returns the call that sets what a migration runs with and takes the schema's lock, in that order: it waits
// no longer than the settings say.
func (t target) enter() call {
	c := t.settings("true")
	if t.cfg.Lock != LockTable {
		c.args = append(c.args, t.schema)
		c.sql += ", pg_advisory_xact_lock(" + strings.Replace(advisoryKey, "$1", "$"+strconv.Itoa(len(c.args)), 1) + ")"
	}
	return c
}

// recordAll returns the call that writes the steps down, if the table still says what they were chosen for, and
// else divides by zero.
func (m *member) recordAll(t target, stamp int64) call {
	versions := make([]string, len(m.line.pending))
	for i, v := range m.line.pending {
		versions[i] = strconv.FormatInt(v, 10)
	}
	return call{
		sql: "insert into " + t.table + ` (version_id, is_applied, tstamp)
			select v, true, $2::text::timestamp from unnest($1::text::bigint[]) with ordinality as p (v, i)
			where 1 / (select case when array_agg(case when is_applied then version_id else -1 - version_id end order by id) = $3::text::bigint[]
				and max(id) = $4::text::bigint then 1 else 0 end from ` + t.table + `) = 1 order by i`,
		args: []string{
			"{" + strings.Join(versions, ",") + "}",
			time.UnixMicro(stamp).UTC().Format("2006-01-02 15:04:05.000000"),
			m.line.rows,
			strconv.FormatInt(m.lastID, 10),
		},
	}
}
