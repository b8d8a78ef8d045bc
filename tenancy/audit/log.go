package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// Log writes entries. [Log.Record] gives them to a goroutine that writes them in batches;
// [Log.Write] and [Log.WriteTx] write them before they return. All methods are safe for concurrent
// use, and several processes may write to one database.
type Log struct {
	cfg     Config
	db      DB
	schema  registrydb.Schema
	queue   *queue
	writer  *writer
	stats   counters
	ledger  ledgerHasher
	cancel  context.CancelFunc // of the writer
	closing sync.Once
	closed  error
}

// Open returns a log that writes to db, which it does not close, and not before there is something
// to write: a database that is away, or has no tables yet, is a reason to spill, not to fail.
// [Log.Close] ends its goroutine. ctx's values are those of the writing; its end means nothing.
//
// Errors are a [FieldError] for a config that makes no sense, [ErrSpillInUse], and those of the
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

// Record logs e soon: when it returns nil the entry is in the queue, and a process that is killed
// before it is written loses it. What must not be lost is for [Log.Write]. Where the queue is full
// it does what [Config].Overflow says; [ErrFull] and [ErrClosed] mean that the entry is not logged,
// a [FieldError] that it cannot be. What e leaves open comes from ctx, which otherwise governs the
// wait for room alone.
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

// Flush returns when everything that was recorded before is in the database, or while that is away
// in the spill. ctx governs the wait. Of a log that was closed with losses it is [ErrClosed].
func (l *Log) Flush(ctx context.Context) error {
	if err := l.queue.wait(ctx); err != nil {
		return fmt.Errorf("flush audit log: %w", err)
	}
	return nil
}

// Close refuses further entries, writes those that are there, waiting for the requests that the
// middleware has promised to log, and ends the goroutine. When ctx ends first it puts what it can
// into the spill; what is lost then is a [LostError]. What is in the spill is written by the next
// process. Closing twice is the same as once.
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

// Status is how a [Log] is doing. The counts are since [Open].
type Status struct {
	Recorded   int64 // entries that were accepted into the queue
	Written    int64 // rows that were written to the database at once; a few are the log's own
	Spilled    int64 // rows that were written to the spill
	Replayed   int64 // rows that were written to the database from the spill, of processes before too
	Dropped    int64 // entries for which there was no room, and such after Close
	Refused    int64 // requests that the middleware has not served, as it could not have logged them
	Queued     int   // entries in memory now
	SpillBytes int64 // in the spill now
	Err        error // why the last try to store something failed; nil: it did not
}

// Status returns how the log is doing.
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
