package migrate

import (
	"context"
	"time"
)

// worker is one of those that migrate the schemas of a fleet. It keeps a connection, as long as nothing goes wrong.
type worker struct {
	f         *fleet
	s         *session
	served    int           // how many schemas the connection has seen
	perSchema time.Duration // what a schema took lately; 0: not known yet
}

// connectionServes is how many schemas a connection is used for: the server keeps what it knows of each table until
// the connection ends, some 20 kB.
const connectionServes = 500

const (
	// batchMost is how many schemas are locked and sent at a time, at most.
	batchMost = 32

	// batchTime is for how long: that much is under way when a run is told to stop, and others find it locked.
	batchTime = 50 * time.Millisecond

	// batchLeast is for how long even when the rest could be shared out in smaller parts.
	batchLeast = 5 * time.Millisecond
)

// connect gets the connection ready.
func (w *worker) connect(ctx context.Context) error {
	if w.s != nil {
		return nil
	}
	s, err := w.f.r.session(ctx, target{cfg: w.f.r.cfg})
	if err != nil {
		return err
	}
	results, err := s.read(ctx, []call{s.t.sessionCall()})
	if err != nil {
		s.close(ctx)
		return err
	}
	s.start = readStart(results[0].Rows)
	w.s, w.served = s, 0
	return nil
}

// ask executes a statement with one parameter. The result is in text.
func (w *worker) query(ctx context.Context, sql, arg string) ([][][]byte, error) {
	result := w.s.pg().ExecParams(ctx, sql, [][]byte{[]byte(arg)}, nil, nil, nil).Read()
	return result.Rows, result.Err
}

// warm connects before anything is taken, as it matters then which process of the server it is.
func (w *worker) warm(ctx context.Context) {
	if w.f.r.cfg.Lock != LockTable && w.f.opts.Workers > 1 {
		_ = w.connect(ctx) // tried again where it is needed
	}
}

// process is the server's process, or 0.
func (w *worker) process() uint32 {
	if w.s == nil {
		return 0
	}
	return w.s.pg().PID()
}

// querier is the connection, if there is one: to wait for another with it in hand would be to wait for ever where all
// workers do.
func (w *worker) querier() querier {
	if w.s != nil {
		return w.s.conn()
	}
	return w.f.r.pool
}

// release gives the connection back, or closes it where a migration ran on it.
func (w *worker) release(ctx context.Context) {
	if w.s != nil {
		w.s.close(ctx)
		w.s = nil
	}
}

// room returns how many of so many schemas to take at a time: as many as are done in [batchTime], going by the last, and no more
// than leaves something for the others, but for what is done in [batchLeast].
func (w *worker) batchSize(todo int) int {
	share := w.f.opts.PerTransaction
	if w.f.r.cfg.Lock == LockTable || w.perSchema == 0 {
		return share
	}
	fair := max(todo/(2*w.f.opts.Workers), int(batchLeast/w.perSchema))
	n := min(batchMost, int(batchTime/w.perSchema), fair)
	return max(share, n/share*share)
}

// migrate brings schemas up to date.
func (w *worker) migrate(ctx, work context.Context, q *queue, group []member) {
	switch {
	case !group[0].batchable(), !w.owns(work, group): // one by one says why
		for _, m := range group {
			w.one(work, q, m)
		}
	case w.f.r.cfg.Lock == LockTable:
		w.share(work, q, group)
	default:
		w.batch(ctx, work, q, group)
	}
}

// owns reports whether the connection may migrate the schemas, see checkLogin.
func (w *worker) owns(ctx context.Context, group []member) bool {
	if w.connect(ctx) != nil {
		return true // tried again where it is needed
	}
	schemas := make([]string, len(group))
	for i := range group {
		schemas[i] = group[i].schema
	}
	return w.f.r.checkLogin(ctx, w.s.conn(), schemas...) == nil
}

// share migrates schemas in one transaction, or one by one where that fails.
func (w *worker) share(ctx context.Context, q *queue, group []member) {
	start := time.Now()
	for i := range group {
		q.started(&group[i])
	}
	if len(group) > 1 && w.sendGroup(ctx, group) == nil {
		for _, m := range group {
			w.f.finished(m.migrated(time.Since(start)))
		}
		return
	}
	for _, m := range group { // all are undone: it shows which of them it was
		w.one(ctx, q, m)
	}
}

// one migrates one schema.
func (w *worker) one(ctx context.Context, q *queue, m member) {
	start := time.Now()
	q.started(&m)
	res, again := w.migrateOne(ctx, &m)
	if again {
		m.begun(res)
		q.later(m)
		return
	}
	res.Duration = time.Since(start)
	w.f.finished(m.whole(res))
}
