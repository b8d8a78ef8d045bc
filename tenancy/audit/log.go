package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// Log writes entries. [Log.Record] hands them to a goroutine that writes batches; [Log.Write] and
// [Log.WriteTx] write them before they return. All methods are safe for concurrent use. Several
// processes may write to one database.
type Log struct {
	cfg     Config
	db      DB
	schema  registrydb.Schema
	queue   *queue
	writer  *writer
	stats   counters
	ledger  ledgerHasher
	cancel  context.CancelFunc // stops the writer
	closing sync.Once
	closed  error
}

// Open returns a log that writes to db and starts its goroutine, which [Log.Close] stops. It
// neither connects to db before there is an entry nor closes it. If the database is unavailable, or
// has no tables yet, entries are spilled. The goroutine uses the values of ctx and ignores its end.
//
// Errors are a [FieldError] for an invalid config, [ErrSpillInUse], and errors of the spill
// directory.
func Open(ctx context.Context, db DB, cfg Config) (*Log, error) {
	if db == nil {
		return nil, errNoDB
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	schema, err := registrydb.Parse(cfg.RegistrySchema)
	if err != nil {
		return nil, fmt.Errorf("audit: RegistrySchema: %w", err)
	}
	spill, err := openSpill(cfg.Spill)
	if err != nil {
		return nil, fmt.Errorf("open audit spill %q: %w", cfg.Spill.Dir, err)
	}
	before, err := spill.savedHead()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open audit spill %q: %w", cfg.Spill.Dir, err), spill.close())
	}
	l := &Log{cfg: cfg, db: db, schema: schema, queue: newQueue(cfg.QueueSize, cfg.BatchSize)}
	l.ledger.hasher = newHasher(cfg.Key)
	l.writer = &writer{
		cfg:    cfg,
		queue:  l.queue,
		store:  store{db: db, schema: schema, timeout: cfg.WriteTimeout},
		spill:  spill,
		hasher: newHasher(cfg.Key),
		before: before,
		stats:  &l.stats,
		stop:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
	if spill != nil {
		l.stats.spillBytes.Store(spill.size)
	}
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go l.writer.run(ctx)
	return l, nil
}

// Record puts e into the queue. An entry in the queue is lost if the process is killed before it is
// written: use [Log.Write] for entries that must not be lost. If the queue is full,
// [Config].Overflow applies. [ErrFull] and [ErrClosed] mean that the entry is not logged, a
// [FieldError] that it is invalid. Empty fields of e come from ctx, which also governs the wait for
// room.
func (l *Log) Record(ctx context.Context, e Entry) error {
	entry, err := e.entry(ctx, l.cfg.Clock())
	if err != nil {
		return err
	}
	return l.put(ctx, &entry)
}

func (l *Log) put(ctx context.Context, e *entry) error {
	err := l.queue.put(ctx, e, l.cfg.Overflow == Block)
	if err != nil {
		l.stats.dropped.Add(1)
		return err
	}
	l.stats.recorded.Add(1)
	return nil
}

// Flush waits until all entries recorded before the call are in the database, or in the spill while
// the database is unavailable. ctx governs the wait. It returns [ErrClosed] if Close has lost
// entries.
func (l *Log) Flush(ctx context.Context) error {
	if err := l.queue.wait(ctx); err != nil {
		return fmt.Errorf("flush audit log: %w", err)
	}
	return nil
}

// Close stops accepting entries, waits for requests with a reserved place, writes all entries and
// stops the goroutine. If ctx ends first, it spills what it can; entries that are lost then are
// reported by a [LostError]. The next process writes the entries in the spill. Later calls return
// the first result.
func (l *Log) Close(ctx context.Context) error {
	l.closing.Do(func() { l.closed = l.close(ctx) })
	return l.closed
}

func (l *Log) close(ctx context.Context) error {
	l.queue.close()
	why := l.queue.drain(ctx)
	if why != nil {
		l.cancel()
	}
	close(l.writer.stop)
	select {
	case <-l.writer.ended:
	case <-ctx.Done():
		l.cancel()
		<-l.writer.ended
	}
	l.cancel()
	err := l.writer.spill.close()
	if lost := l.writer.lost; lost > 0 {
		if cause := l.stats.err.Load(); cause != nil {
			why = errors.Join(why, *cause)
		}
		err = errors.Join(&LostError{Entries: lost, Err: why}, err)
	}
	return err
}

// Status is the state of a [Log]. Counts are since [Open].
type Status struct {
	Recorded   int64 // entries accepted into the queue
	Written    int64 // rows that were written to the database at once; a few are the log's own
	Spilled    int64 // rows that were written to the spill
	Replayed   int64 // rows that were written to the database from the spill, also for earlier processes
	Dropped    int64 // entries dropped because the log was full or closed
	Refused    int64 // requests that the middleware has not served because it could not log them
	Queued     int   // entries in memory now
	SpillBytes int64 // in the spill now
	Err        error // why the last attempt to store a batch failed; nil: it succeeded
}

// Status returns the current state of the log.
func (l *Log) Status() Status {
	s := Status{
		Recorded: l.stats.recorded.Load(), Written: l.stats.written.Load(), Spilled: l.stats.spilled.Load(),
		Replayed: l.stats.replayed.Load(), Dropped: l.stats.dropped.Load(), Refused: l.stats.refused.Load(),
		Queued: l.queue.length(), SpillBytes: l.stats.spillBytes.Load(),
	}
	if err := l.stats.err.Load(); err != nil {
		s.Err = *err
	}
	return s
}
