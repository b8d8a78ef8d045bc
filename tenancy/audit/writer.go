package audit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// writer takes entries out of the queue, chains them, and stores them: in the database, or while
// that is away in the spill, or while that is full in memory. One goroutine runs it.
type writer struct {
	cfg     Config
	queue   *queue
	store   store
	spill   *spill // nil: none
	hasher  *hasher
	chain   *chain    // nil: none yet
	before  ChainHead // of the chain before it
	rows    []row     // to be used again; never those of a COPY that failed, which pgx may go on to read for a while
	text    []byte    // likewise
	pending []batch
	retryAt time.Time // the database is left alone until then; zero: it is there
	wait    time.Duration
	stats   *counters
	stop    chan struct{} // closed: end when the queue is empty
	ended   chan struct{} // closed when run has returned
	lost    int64         // written before ended is closed
}

// counters are behind [Status].
type counters struct {
	recorded, written, spilled, replayed, dropped, refused atomic.Int64
	reported                                               atomic.Int64 // of the dropped, those that an entry tells of
	spillBytes                                             atomic.Int64
	err                                                    atomic.Pointer[error]
}

const (
	minRetry = 100 * time.Millisecond
	maxRetry = 5 * time.Second
)

// run works until stop. When ctx ends it gives up on the database.
func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	for w.await(ctx) {
		w.accept(ctx)
		w.replay(ctx)
	}
	w.finish(ctx)
}

// await returns true when there may be something to do, false at the end.
func (w *writer) await(ctx context.Context) bool {
	select {
	case <-w.stop:
		return false
	default:
	}
	behind := len(w.pending) > 0 || !w.spill.empty() || w.unreportedLosses() > 0
	if behind && !w.backingOff() {
		return true
	}
	var retry <-chan time.Time
	if behind {
		timer := time.NewTimer(time.Until(w.retryAt))
		defer timer.Stop()
		retry = timer.C
	}
	ready, urgent := w.queue.ready, w.queue.urgent
	if len(w.pending) > 0 {
		ready, urgent = nil, nil // there is no room for more
	}
	select {
	case <-w.stop:
		return false
	case <-retry:
	case <-urgent:
	case <-ready:
		w.linger()
	}
	return true
}

// linger lets a batch gather.
func (w *writer) linger() {
	timer := time.NewTimer(w.cfg.Linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.queue.urgent:
	case <-w.stop:
	}
}

func (w *writer) backingOff() bool { return time.Now().Before(w.retryAt) }

// accept takes what is in the queue, unless batches are waiting that can be stored nowhere.
func (w *writer) accept(ctx context.Context) {
	if len(w.pending) > 0 {
		return
	}
	items := w.queue.dequeueAll()
	if len(items) == 0 && w.unreportedLosses() > 0 {
		w.persist(ctx, w.batch(nil), 0)
	}
	for rest := items; len(rest) > 0; {
		n := min(len(rest), w.cfg.BatchSize)
		w.persist(ctx, w.batch(rest[:n]), n)
		rest = rest[n:]
	}
	w.queue.recycle(items)
}

// batch chains entries. Where the month is another one it begins another chain.
func (w *writer) batch(entries []entry) batch {
	now := w.cfg.Clock()
	m := monthOf(now)
	for i := range entries {
		m = max(m, monthOf(time.UnixMicro(entries[i].at)))
	}
	rows := w.rows[:0]
	w.rows = nil
	if w.chain == nil || w.chain.month != m {
		if w.chain != nil {
			w.before = w.chain.head()
		}
		var opened row
		w.chain, opened = newChain(w.hasher, m, w.before, w.internalEntry(now))
		rows = append(rows, opened)
	}
	if lost := w.unreportedLosses(); lost > 0 {
		e := w.internalEntry(now)
		e.action, e.details = LogLost, `{"entries":`+itoa(lost)+`}`
		rows = append(rows, w.chain.add(w.hasher, e))
		w.stats.reported.Add(lost)
	}
	w.sanitize(entries)
	for i := range entries {
		rows = append(rows, w.chain.add(w.hasher, entries[i]))
	}
	return batch{rows: rows, head: w.chain.head()}
}

// losses returns how many entries were dropped of which no entry tells yet.
func (w *writer) unreportedLosses() int64 { return w.stats.dropped.Load() - w.stats.reported.Load() }

// own returns an entry of the log's own.
func (w *writer) internalEntry(now time.Time) entry {
	return entry{actor: w.cfg.Process, at: now.UnixMicro(), details: "{}"}
}

// keep stores a batch with n accepted entries wherever it can.
func (w *writer) persist(ctx context.Context, b batch, n int) {
	if len(w.pending) == 0 && !w.backingOff() {
		err := w.store.copy(ctx, b)
		w.recordAttempt(ctx, err)
		if err == nil {
			w.stats.written.Add(int64(len(b.rows)))
			w.persisted(ctx, b, n)
			clear(b.rows) // lets go of texts
			w.rows = b.rows[:0]
			return
		}
	}
	if len(w.pending) == 0 && w.trySpill(ctx, b) {
		w.persisted(ctx, b, n)
		return
	}
	b.entries = n
	w.pending = append(w.pending, b)
}

// kept says that a batch will not be lost any more.
func (w *writer) persisted(ctx context.Context, b batch, n int) {
	if err := w.spill.saveHead(b.head); err != nil {
		w.cfg.Logger.ErrorContext(ctx, "save the head of the audit log", slog.Any("error", err))
	}
	if w.cfg.Witness != nil {
		w.cfg.Witness(b.head)
	}
	w.queue.acknowledge(n)
}

// spilled reports whether it could put the batch into the spill.
func (w *writer) trySpill(ctx context.Context, b batch) bool {
	if w.spill == nil {
		return false
	}
	if err := w.spill.append(b); err != nil {
		w.stats.err.Store(&err)
		w.cfg.Logger.ErrorContext(ctx, "spill audit entries", slog.Any("error", err))
		return false
	}
	w.stats.spilled.Add(int64(len(b.rows)))
	w.stats.spillBytes.Store(w.spill.size)
	return true
}

// replay makes one step with what could not be written before: what is in memory first, as nothing
// else moves meanwhile.
func (w *writer) replay(ctx context.Context) (more bool) {
	if w.backingOff() {
		return false
	}
	if len(w.pending) > 0 {
		return w.replayPending(ctx)
	}
	if w.spill.empty() {
		return false
	}
	b, ok, err := w.spill.read()
	if err == nil && ok {
		if err = w.store.insert(ctx, b); err == nil {
			w.spill.done()
			w.stats.replayed.Add(int64(len(b.rows)))
			_, _, err = w.spill.read() // removes the segment behind its last batch
		}
	}
	w.stats.spillBytes.Store(w.spill.size)
	w.recordAttempt(ctx, err)
	return err == nil && ok
}

func (w *writer) replayPending(ctx context.Context) bool {
	b := w.pending[0]
	err := w.store.insert(ctx, b)
	w.recordAttempt(ctx, err)
	if err == nil {
		w.stats.written.Add(int64(len(b.rows)))
	} else if !w.trySpill(ctx, b) { // which may have room again
		return false
	}
	w.popPending(ctx)
	return true
}

// shift says that the first of the pending batches is kept.
func (w *writer) popPending(ctx context.Context) {
	b := w.pending[0]
	w.pending = w.pending[1:]
	w.persisted(ctx, b, b.entries)
}

// reached notes how a try went. After a failure the database is left alone for a while that grows.
func (w *writer) recordAttempt(ctx context.Context, err error) {
	if err == nil {
		if w.wait > 0 {
			w.cfg.Logger.InfoContext(ctx, "audit log is written again")
		}
		w.wait, w.retryAt = 0, time.Time{}
		w.stats.err.Store(nil)
		return
	}
	w.stats.err.Store(&err)
	if w.wait == 0 {
		w.cfg.Logger.ErrorContext(ctx, "write audit log", slog.Any("error", err))
	}
	w.wait = min(max(2*w.wait, minRetry), maxRetry)
	w.retryAt = time.Now().Add(w.wait)
}

// finish is the end: it stores what is left wherever it can, and closes the chain.
func (w *writer) finish(ctx context.Context) {
	w.retryAt = time.Time{} // once more
	for w.replay(ctx) {
	}
	for len(w.pending) > 0 && w.trySpill(ctx, w.pending[0]) {
		w.popPending(ctx)
	}
	w.accept(ctx)
	if w.chain != nil {
		closed := w.internalEntry(w.cfg.Clock())
		closed.action = LogClosed
		r := w.chain.add(w.hasher, closed)
		w.persist(ctx, batch{rows: []row{r}, head: w.chain.head()}, 0)
		h := w.chain.head()
		w.cfg.Logger.InfoContext(ctx, "audit chain closed", slog.String("chain", h.Chain.String()),
			slog.Int64("position", h.Position), slog.String("digest", h.Digest.String()))
	}
	w.lost = int64(w.queue.end())
}
