package migrate

import "slices"

// member is one schema of the fleet.
type member struct {
	schema string
	table  uint32 // OID of its version table; 0: none
	line   *lineage
	err    error   // why there is no lineage, or why no migration may be run
	edited []int64 // applied versions whose files have changed since
	known  bool    // met earlier in the run and not read again
	order  int     // its place in the list of the run

	info    *tableInfo // nil: not read yet
	retried bool       // its lock was not free once, so it is tried again
	started bool       // EventStarted was sent

	done []int64  // versions that earlier transactions and attempts have committed
	from int64    // the newest version before those of done
	next int      // the index in line.pending of the first version that is not in done
	lost *lineage // the state before a connection was lost over which more was sent; nil: none was lost

	reader uint32 // the server process that has read its table and has it cached
}

func (m member) outcome() Outcome {
	if m.line == nil || m.err != nil {
		return outcomeOf(m.err)
	}
	return m.line.outcome
}

func (m member) version() int64 {
	if m.line == nil {
		return 0
	}
	return m.line.state.newest()
}

// batchable reports whether all pending migrations, as last read, can be sent in one message.
func (m member) batchable() bool { return m.line != nil && m.err == nil && m.line.batchable }

// result returns the result of a schema in which nothing was done.
func (m member) result(err error) Result {
	outcome := m.outcome()
	if err != nil {
		outcome = outcomeOf(err)
	}
	return Result{Schema: m.schema, Outcome: outcome, From: m.version(), To: m.version(), Err: err, order: m.order}
}

// oneTransaction reports whether all pending migrations run in one transaction.
func (m member) oneTransaction() bool { return m.line != nil && m.line.oneTransaction }

// did records that the next n pending versions are committed and that more follow.
func (m *member) did(n int) {
	if len(m.done) == 0 {
		m.from = m.version()
	}
	m.done = append(m.done, m.line.pending[m.next:m.next+n]...)
	m.next += n
}

// begun records what an attempt has committed before the schema is tried again.
func (m *member) begun(res Result) {
	if len(m.done) == 0 {
		m.from = res.From
	}
	m.done = append(m.done, res.Applied...)
}

// withAttempts returns the result together with what earlier attempts have committed.
func (m *member) withAttempts(res Result) Result {
	if len(m.done) == 0 {
		return res
	}
	res.From = m.from
	res.Applied = slices.Concat(m.done, res.Applied)
	for _, v := range res.Applied {
		res.To = max(res.To, v)
	}
	if res.Outcome == Current {
		res.Outcome = Migrated
	}
	return res
}

// tableLocked reports whether the version table could not be read only because it was locked.
func (m member) tableLocked() bool { return m.line == nil && retryable(m.err) }

// refusal returns why no migration may be run in a schema whose versions are known, or nil.
func (m *member) refusal(r *Runner) error {
	switch m.line.outcome {
	case Current, Behind, NewerCompatible:
		return nil
	}
	_, err := m.target(r).next(upTo{Newest}, m.line.state)
	return err
}
