package migrate

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
)

// versionRow is one row of a version table.
type versionRow struct {
	id, version int64
	applied     bool
	stamp       int64 // tstamp in microseconds, as in a state; 0: none
}

// lineage is the sequence of versions in a version table, with what follows from it. Thousands of
// schemas share a few lineages, so their pending steps are computed only a few times.
type lineage struct {
	rows           string // the rows as an array's text: version, or -1 - version where it is not applied; by id
	state          state  // without times and checksums
	steps          []step
	pending        []int64
	outcome        Outcome // Current or Behind, or why nothing may be done
	batchable      bool    // all that is pending can be sent in one message
	oneTransaction bool    // all that is pending runs in one transaction
}

// lineages are the lineages of one run. It is safe for concurrent use.
type lineages struct {
	t     target // of any schema
	mu    sync.Mutex
	known map[string]*lineage
	key   []byte
}

func (r *Runner) lineages() *lineages {
	return &lineages{t: target{kind: TenantSet, set: r.tenant, cfg: r.cfg}, known: make(map[string]*lineage)}
}

// of returns the lineage for the rows of a version table. It sorts the rows.
func (l *lineages) of(rows []versionRow) *lineage {
	byID := func(a, b versionRow) int { return cmp.Compare(a.id, b.id) }
	if !slices.IsSortedFunc(rows, byID) { // rarely: a table is mostly read in the order in which it was written
		slices.SortFunc(rows, byID)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.key = append(l.key[:0], '{')
	for i, row := range rows {
		if i > 0 {
			l.key = append(l.key, ',')
		}
		v := row.version
		if !row.applied {
			v = -1 - v
		}
		l.key = strconv.AppendInt(l.key, v, 10)
	}
	l.key = append(l.key, '}')
	if line, ok := l.known[string(l.key)]; ok {
		return line
	}
	var st state
	for _, row := range rows {
		st.addRow(row.version, row.applied, 0, 0)
	}
	line := l.t.lineage(st)
	line.rows = string(l.key)
	line.batchable = line.batchable && len(rows) > 0
	l.known[line.rows] = line
	return line
}

// lineage returns the lineage of a state. If checksums matter, it is valid only for the schema of
// that state.
func (t target) lineage(st state) *lineage {
	line := &lineage{state: st, outcome: Current}
	line.steps, _ = t.next(upTo{Newest}, st) // t.outcome returns the error
	line.pending = t.pending(st)
	line.oneTransaction = len(line.steps) > 0 && len(t.transactions(line.steps)) == 1
	// Under LockTable checksums are not looked at again, nor are versions between two transactions.
	line.batchable = len(line.steps) > 0 && (t.cfg.Lock != LockTable || t.cfg.Changed != Refuse && line.oneTransaction)
	for _, s := range line.steps {
		line.batchable = line.batchable && !s.noTx() && !s.isGo() && len(s.prologue()) == 0
	}
	line.outcome, _ = t.outcome(st)
	return line
}
