package audit

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Overflow says what becomes of an entry for which the queue has no room.
type Overflow int

const (
	// Block makes [Log.Record] wait for room until its context ends. It is the default.
	Block Overflow = iota

	// Drop loses the entry at once. The losses are counted, in [Status] and in the log itself
	// ([LogLost]).
	Drop
)

// The defaults of a [Config].
const (
	DefaultQueueSize    = 20_000
	DefaultBatchSize    = 5_000
	DefaultLinger       = 20 * time.Millisecond
	DefaultWriteTimeout = 10 * time.Second
)

// MinKeyLen is the shortest key of a log, in bytes.
const MinKeyLen = 32

// Config says how a [Log] works. The zero value is useful.
type Config struct {
	// Key makes hashes HMACs, which who can write to the database, and be it as its owner, cannot
	// compute. At least [MinKeyLen] random bytes, of programs alone and never in the database.
	// Default: nil, hashes that everybody can compute.
	Key []byte

	// RegistrySchema is the schema of the log's tables, as in [tenancy.Config]. Default: public.
	RegistrySchema string

	// Overflow says what becomes of entries when the queue is full. Default: [Block].
	Overflow Overflow

	// QueueSize is the most entries that are in memory. Default: [DefaultQueueSize].
	QueueSize int

	// BatchSize is the most entries of a COPY. Default: [DefaultBatchSize].
	BatchSize int

	// Linger is how long entries wait for others, to be stored together. Default: [DefaultLinger].
	Linger time.Duration

	// WriteTimeout bounds each try to write to the database. Default: [DefaultWriteTimeout].
	WriteTimeout time.Duration

	// Spill says where entries go while the database is away. Default: they stay in memory, up to
	// QueueSize.
	Spill SpillConfig

	// Process is the actor of the log's own entries, of those that say when a chain began and ended.
	// Default: the program's name, host and process id.
	Process string

	// Witness is told where the chain stands, after each batch that was stored: who keeps heads where
	// the owner of the database cannot write gives them to [VerifyOptions] later. It runs on the
	// goroutine that writes, which waits for it. Default: none.
	Witness func(h ChainHead)

	// Clock says what time it is. It may go backwards. Default: [time.Now].
	Clock func() time.Time

	// Logger gets what goes wrong and right again, and the head of a chain that is closed. Nil
	// discards.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	for field, n := range map[string]int64{
		"QueueSize": int64(c.QueueSize), "BatchSize": int64(c.BatchSize), "Linger": int64(c.Linger), "WriteTimeout": int64(c.WriteTimeout),
		"Spill.MaxBytes": c.Spill.MaxBytes,
	} {
		if n < 0 {
			return c, &FieldError{Field: field, Value: itoa(n), Rule: "is negative"}
		}
	}
	if err := checkKey(c.Key); err != nil {
		return c, err
	}
	if c.Overflow < Block || c.Overflow > Drop {
		return c, &FieldError{Field: "Overflow", Value: itoa(int64(c.Overflow)), Rule: "is neither Block nor Drop"}
	}
	if c.Spill.Sync < SyncBatch || c.Spill.Sync > SyncNever {
		return c, &FieldError{
			Field: "Spill.Sync",
			Value: itoa(int64(c.Spill.Sync)),
			Rule:  "is neither SyncBatch nor SyncNever",
		}
	}
	c.QueueSize = cmp.Or(c.QueueSize, DefaultQueueSize)
	c.BatchSize = cmp.Or(c.BatchSize, DefaultBatchSize)
	c.Linger = cmp.Or(c.Linger, DefaultLinger)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, DefaultWriteTimeout)
	c.Spill.MaxBytes = cmp.Or(c.Spill.MaxBytes, DefaultSpillBytes)
	c.Process = cut(clean(cmp.Or(c.Process, processName())), MaxText)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func processName() string {
	host, _ := os.Hostname() // of no host: it is a name for people
	return fmt.Sprintf("%s@%s[%d]", filepath.Base(os.Args[0]), host, os.Getpid())
}

// checkKey never shows the key.
func checkKey(key []byte) error {
	if key != nil && len(key) < MinKeyLen {
		return &FieldError{Field: "Key", Rule: "is shorter than 32 bytes"}
	}
	return nil
}

var errNoDB = errors.New("audit: DB is nil")
