package migrate

import (
	"context"
	"strings"
	"time"
)

// worker is one of those that migrate the schemas of a fleet. It keeps a connection, as long as nothing goes wrong.
type worker struct {
	f        *fleet
	s        *session
	prepared bool          // the connection has the statements that are the same for all schemas
	served   int           // how many schemas the connection has seen
	pace     time.Duration // what a schema took lately; 0: not known yet
}

// connectionServes is how many schemas a connection is used for: the server keeps what it knows of each table until
// the connection ends, some 20 kB.
const connectionServes = 500

const (
	beginSQL   = "begin isolation level read committed"
	commitSQL  = "commit"
	beginName  = "pgtenant_begin"
	commitName = "pgtenant_commit"
	enterName  = "pgtenant_enter"
	lockName   = "pgtenant_lock"
	unlockName = "pgtenant_unlock"
	kitName    = "pgtenant_kit"
)

const (
	// batchMost is how many schemas are locked and sent at a time, at most.
	batchMost = 32

	// batchTime is for how long: that much is under way when a run is told to stop, and others find it locked.
	batchTime = 50 * time.Millisecond

	// batchLeast is for how long even when the rest could be shared out in smaller parts.
	batchLeast = 5 * time.Millisecond
)

// connect gets the connection ready. To prepare what is the same for all schemas saves a tenth of their time; a
// pooler in transaction mode, which is what LockTable is for, would not know the statements again.
func (w *worker) connect(ctx context.Context) error {
	if w.s != nil {
		return nil
	}
	t := target{cfg: w.f.r.cfg}
	s, err := w.f.r.session(ctx, t)
	if err != nil {
		return err
	}
	w.s, w.prepared, w.served = s, t.cfg.Lock != LockTable, 0
	if !w.prepared {
		return nil
	}
	for name, sql := range w.statements() {
		if _, err := s.pg().Prepare(ctx, name, sql, nil); err != nil {
			w.s.spent = true
			w.release(ctx)
			return err
		}
	}
	return nil
}

// statements are those that are the same for all schemas, by name.
func (w *worker) statements() map[string]string {
	t := target{cfg: w.f.r.cfg}
	return map[string]string{
		beginName: beginSQL, commitName: commitSQL, enterName: t.settings("true").sql, lockName: lockSQL, unlockName: unlockSQL, kitName: kitSQL,
	}
}

// ask executes a prepared statement with one parameter. The result is in text.
func (w *worker) ask(ctx context.Context, name, arg string) ([][][]byte, error) {
	result := w.s.pg().ExecPrepared(ctx, name, [][]byte{[]byte(arg)}, nil, nil).Read()
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

// release gives the connection back as it was.
func (w *worker) release(ctx context.Context) {
	if w.s == nil {
		return
	}
	if w.prepared && !w.s.spent && !w.s.pg().IsClosed() && w.s.pg().TxStatus() == 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		var sql strings.Builder
		for name := range w.statements() {
			sql.WriteString("deallocate " + name + ";")
		}
		_, err := w.s.pg().Exec(ctx, sql.String()).ReadAll()
		w.s.spent = err != nil
	}
	w.s.close(ctx)
	w.s = nil
}

// room returns how many of so many schemas to take at a time: as many as are done in [batchTime], going by the last, and no more
// than leaves something for the others, but for what is done in [batchLeast].
func (w *worker) room(todo int) int {
	share := w.f.opts.PerTransaction
	if w.f.r.cfg.Lock == LockTable || w.pace == 0 {
		return share
	}
	fair := max(todo/(2*w.f.opts.Workers), int(batchLeast/w.pace))
	n := min(batchMost, int(batchTime/w.pace), fair)
	return max(share, n/share*share)
}

// migrate brings schemas up to date.
func (w *worker) migrate(ctx, work context.Context, q *queue, group []member) {
	switch {
	case !group[0].swift():
		for _, m := range group {
			w.one(work, q, m)
		}
	case w.f.r.cfg.Lock == LockTable:
		w.share(work, q, group)
	default:
		w.batch(ctx, work, q, group)
	}
}

// share migrates schemas in one transaction, or one by one where that fails.
func (w *worker) share(ctx context.Context, q *queue, group []member) {
	start := time.Now()
	for i := range group {
		q.told(&group[i])
	}
	if len(group) > 1 && w.fast(ctx, group) == nil {
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
	q.told(&m)
	res, again := w.migrateOne(ctx, m)
	if again {
		q.later(m)
		return
	}
	res.Duration = time.Since(start)
	w.f.finished(res)
}
