package migrate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/schemalock"
)

// worker migrates schemas of a fleet over one connection, which it replaces after an error.
type worker struct {
	f         *fleet
	s         *session
	served    int           // number of schemas migrated over the connection
	perSchema time.Duration // time per schema in the last batch; 0: not known yet
}

// connectionServes is how many schemas a connection is used for. The server process caches some 20
// kB for each version table until the connection ends.
const connectionServes = 500

const (
	// batchMost is the largest number of schemas that are locked and sent at a time.
	batchMost = 32

	// batchTime is the duration of work that is sent at a time. It runs to its end when the run is
	// stopped, and other runners find its schemas locked.
	batchTime = 50 * time.Millisecond

	// batchLeast is the duration of work up to which a batch is not made smaller for the sake of other
	// workers.
	batchLeast = 5 * time.Millisecond
)

// connect takes a connection, if there is none, and reads the settings of its session.
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

// query executes a statement with one parameter. It returns the rows in text.
func (w *worker) query(ctx context.Context, sql, arg string) ([][][]byte, error) {
	result := w.s.pg().ExecParams(ctx, sql, [][]byte{[]byte(arg)}, nil, nil, nil).Read()
	return result.Rows, result.Err
}

// warm connects before the worker takes schemas: dequeue prefers those that the same server process
// has read.
func (w *worker) warm(ctx context.Context) {
	if w.f.r.cfg.Lock != LockTable && w.f.opts.Workers > 1 {
		_ = w.connect(ctx) // the migration connects again and reports the error
	}
}

// process returns the process id of the server process, or 0 without a connection.
func (w *worker) process() uint32 {
	if w.s == nil {
		return 0
	}
	return w.s.pg().PID()
}

// querier returns the worker's connection if there is one, else the pool. Waiting for another
// connection while holding one would deadlock if all workers did it.
func (w *worker) querier() querier {
	if w.s != nil {
		return w.s.conn()
	}
	return w.f.r.pool
}

// release gives the connection back to the pool, or closes it if a migration ran on it.
func (w *worker) release(ctx context.Context) {
	if w.s != nil {
		w.s.close(ctx)
		w.s = nil
	}
}

// batchSize returns how many of todo schemas to take: as many as take [batchTime], going by the
// last batch, but no more than a fair share. A batch that takes [batchLeast] or less is not reduced
// for that.
func (w *worker) batchSize(todo int) int {
	share := w.f.opts.PerTransaction
	if w.f.r.cfg.Lock == LockTable || w.perSchema == 0 {
		return share
	}
	fair := max(todo/(2*w.f.opts.Workers), int(batchLeast/w.perSchema))
	n := min(batchMost, int(batchTime/w.perSchema), fair)
	return max(share, n/share*share)
}

// migrate migrates schemas.
func (w *worker) migrate(ctx, work context.Context, q *queue, group []member) {
	switch {
	case !group[0].batchable(), !w.owns(work, group): // migrating each alone reports the error
		for _, m := range group {
			w.migrateAlone(work, q, m)
		}
	case w.f.r.cfg.Lock == LockTable:
		w.migrateTogether(work, q, group)
	default:
		w.batch(ctx, work, q, group)
	}
}

// owns reports whether the login of the connection may migrate the schemas, see checkLogin.
func (w *worker) owns(ctx context.Context, group []member) bool {
	if w.connect(ctx) != nil {
		return true // the migration connects again and reports the error
	}
	schemas := make([]string, len(group))
	for i := range group {
		schemas[i] = group[i].schema
	}
	return w.f.r.checkLogin(ctx, w.s.conn(), schemas...) == nil
}

// migrateTogether migrates schemas in one transaction, or one by one if that fails.
func (w *worker) migrateTogether(ctx context.Context, q *queue, group []member) {
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
	for _, m := range group { // the transaction was rolled back: this finds the schema that fails
		w.migrateAlone(ctx, q, m)
	}
}

// migrateAlone migrates one schema.
func (w *worker) migrateAlone(ctx context.Context, q *queue, m member) {
	start := time.Now()
	q.started(&m)
	res, again := w.migrateOne(ctx, &m)
	if again {
		m.begun(res)
		q.postpone(m)
		return
	}
	res.Duration = time.Since(start)
	w.f.finished(m.withAttempts(res))
}

// idleSchemas returns the schemas of a set on which no session works and that still exist. It reads
// the locks first: a session that has ended since may have dropped its schema.
func (r *Runner) idleSchemas(ctx context.Context, found map[string]struct{}) (map[string]struct{}, error) {
	names := slices.Collect(maps.Keys(found))
	held, err := r.namesOf(ctx, schemalock.Scratch.HeldOf(), names)
	if err != nil {
		return nil, err
	}
	there, err := r.namesOf(ctx, "select nspname::text from pg_namespace where nspname = any($1::text[]::name[])", names)
	if err != nil {
		return nil, err
	}
	idle := make(map[string]struct{}, len(there))
	for _, name := range there {
		idle[name] = struct{}{}
	}
	for _, name := range held {
		delete(idle, name)
	}
	return idle, nil
}

func (r *Runner) namesOf(ctx context.Context, sql string, names []string) ([]string, error) {
	rows, err := r.pool.Query(ctx, sql, pgx.QueryExecModeExec, names)
	if err != nil {
		return nil, fmt.Errorf("look for unregistered schemas: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for unregistered schemas: %w", err)
	}
	return found, nil
}
