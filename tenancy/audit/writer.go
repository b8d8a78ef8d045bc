package audit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// writer dequeues entries, chains them, and stores them in the database. While the database is
// unavailable it stores them in the spill, and while the spill is full it keeps them in memory. It
// runs on one goroutine.
type writer struct {
	cfg     Config
	queue   *queue
	store   store
	spill   *spill // nil: none
	hasher  *hasher
	chain   *chain        // nil: none yet
	before  ChainHead     // head of the previous chain
	rows    []row         // for reuse; not after a failed COPY, whose rows pgx may still read
	text    []byte        // for reuse
	pending []batch       // batches that neither the database nor the spill could store yet
	retryAt time.Time     // no attempt before this time; zero: the database is available
	wait    time.Duration // time between attempts; 0: the last attempt succeeded
	stats   *counters
	stop    chan struct{} // closed to stop the writer when the queue is empty
	ended   chan struct{} // closed when run returns
	lost    int64         // number of lost entries; set before ended is closed
}

// counters are the source of [Status].
type counters struct {
	recorded, written, spilled, replayed, dropped, refused atomic.Int64
	reported                                               atomic.Int64 // dropped entries that a LogLost entry reports
	spillBytes                                             atomic.Int64
	err                                                    atomic.Pointer[error]
}

const (
	minRetry = 100 * time.Millisecond
	maxRetry = 5 * time.Second
)

// run runs until stop is closed. When ctx ends it stops using the database.
func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	for w.await(ctx) {
		w.accept(ctx)
		w.replay(ctx)
	}
	w.finish(ctx)
}

// await waits for work. It returns false when the writer has to stop.
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
		ready, urgent = nil, nil // no room for more
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

// linger waits for more entries, so that they form a batch.
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

// accept dequeues entries, unless batches are pending that cannot be stored.
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

// batch turns entries into rows of the chain. In a new month it starts a new chain.
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

// unreportedLosses returns the number of dropped entries that no LogLost entry reports yet.
func (w *writer) unreportedLosses() int64 { return w.stats.dropped.Load() - w.stats.reported.Load() }

// internalEntry returns an entry of the log itself.
func (w *writer) internalEntry(now time.Time) entry {
	return entry{actor: w.cfg.Process, at: now.UnixMicro(), details: "{}"}
}

// persist stores a batch with n accepted entries in the database, the spill or memory.
func (w *writer) persist(ctx context.Context, b batch, n int) {
	if len(w.pending) == 0 && !w.backingOff() {
		err := w.store.copy(ctx, b)
		w.recordAttempt(ctx, err)
		if err == nil {
			w.stats.written.Add(int64(len(b.rows)))
			w.persisted(ctx, b, n)
			clear(b.rows) // releases the texts
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

// persisted marks a batch as safe from loss.
func (w *writer) persisted(ctx context.Context, b batch, n int) {
	if err := w.spill.saveHead(b.head); err != nil {
		w.cfg.Logger.ErrorContext(ctx, "save the head of the audit log", slog.Any("error", err))
	}
	if w.cfg.Witness != nil {
		w.cfg.Witness(b.head)
	}
	w.queue.acknowledge(n)
}

// trySpill writes the batch to the spill and reports whether that succeeded.
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

// replay writes one batch that could not be written before. Those in memory come first, because new
// entries wait for them. It reports whether it may be called again at once.
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
			_, _, err = w.spill.read() // removes the segment after its last batch
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
	} else if !w.trySpill(ctx, b) { // the spill may have room again
		return false
	}
	w.popPending(ctx)
	return true
}

// popPending marks the first pending batch as stored.
func (w *writer) popPending(ctx context.Context) {
	b := w.pending[0]
	w.pending = w.pending[1:]
	w.persisted(ctx, b, b.entries)
}

// recordAttempt records the outcome of an attempt to write to the database. After a failure the
// writer waits, with an increasing delay, before it tries again.
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

// finish stores the remaining entries and closes the chain.
func (w *writer) finish(ctx context.Context) {
	w.retryAt = time.Time{} // one more attempt
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
