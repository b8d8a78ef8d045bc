package migrate

import (
	"context"
	"time"
)

// worker is one of those that migrate the schemas of a fleet. It keeps a connection, as long as nothing goes wrong.
type worker struct {
	f        *fleet
	s        *session
	prepared bool // the connection has the statements that are the same for all schemas
	served   int  // how many schemas the connection has seen
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
	for name, sql := range map[string]string{beginName: beginSQL, commitName: commitSQL, enterName: t.enter().sql} {
		if _, err := s.pg().Prepare(ctx, name, sql, nil); err != nil {
			w.s.spent = true
			w.release(ctx)
			return err
		}
	}
	return nil
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
		_, err := w.s.pg().Exec(ctx, "deallocate "+beginName+"; deallocate "+commitName+"; deallocate "+enterName).ReadAll()
		w.s.spent = err != nil
	}
	w.s.close(ctx)
	w.s = nil
}

// migrate brings schemas up to date: those that share a transaction, or one.
func (w *worker) migrate(ctx context.Context, q *queue, group []member) {
	start := time.Now()
	if len(group) > 1 {
		if w.fast(ctx, group) == nil {
			for _, m := range group {
				w.f.finished(m.migrated(time.Since(start)))
			}
			return
		}
		// All are undone. One by one it shows which of them it was.
	}
	for _, m := range group {
		start = time.Now()
		res, again := w.migrateOne(ctx, m)
		if again {
			q.later(m)
			continue
		}
		res.Duration = time.Since(start)
		w.f.finished(res)
	}
}
