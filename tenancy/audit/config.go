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

// Overflow selects what happens to an entry if the queue is full.
type Overflow int

const (
	// Block makes [Log.Record] wait for room until its context ends. It is the default.
	Block Overflow = iota

	// Drop drops the entry at once. Dropped entries are counted in [Status] and in the log itself
	// ([LogLost]).
	Drop
)

// The defaults of a [Config].
const (
	defaultQueueSize    = 20_000
	defaultBatchSize    = 5_000
	defaultLinger       = 20 * time.Millisecond
	defaultWriteTimeout = 10 * time.Second
)

// minKeyLen is the minimum length of a key, in bytes.
const minKeyLen = 32

// Config configures a [Log]. The zero value is usable.
type Config struct {
	// Key makes the hashes HMACs. A role that can write to the database, even as its owner, cannot
	// compute them. The key has at least 32 random bytes, is known only to programs and is
	// never stored in the database. Default: nil, plain hashes.
	Key []byte

	// RegistrySchema is the schema of the log's tables, as in [tenancy.Config]. Default: public.
	RegistrySchema string

	// Overflow selects what happens to entries if the queue is full. Default: [Block].
	Overflow Overflow

	// QueueSize is the maximum number of entries in memory. Default: 20,000.
	QueueSize int

	// BatchSize is the maximum number of entries in one COPY. Default: 5,000.
	BatchSize int

	// Linger is how long an entry waits for others, so that they are stored together. Default:
	// 20 milliseconds.
	Linger time.Duration

	// WriteTimeout bounds each attempt to write to the database. Default: 10 seconds.
	WriteTimeout time.Duration

	// Spill configures files for entries while the database is unavailable. Default: entries stay in
	// memory, up to QueueSize.
	Spill SpillConfig

	// Process is the actor of the log's own entries, which mark the start and end of chains. Default:
	// the program's name, host and process id.
	Process string

	// Witness receives the head of the chain after each stored batch. A program that keeps heads where
	// the owner of the database cannot write passes them to [VerifyOptions] later. It runs on the
	// writer's goroutine, which waits for it. Default: none.
	Witness func(h ChainHead)

	// Clock returns the current time. It may go backwards. Default: [time.Now].
	Clock func() time.Time

	// Logger receives failures, recoveries, and the head of each closed chain. Nil discards.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	for field, n := range map[string]int64{
		"queue_size": int64(c.QueueSize), "batch_size": int64(c.BatchSize),
		"linger": int64(c.Linger), "write_timeout": int64(c.WriteTimeout),
		"spill.max_bytes": c.Spill.MaxBytes,
	} {
		if n < 0 {
			return c, &FieldError{Field: field, Value: itoa(n), Rule: "is negative"}
		}
	}
	if err := checkKey("key", c.Key); err != nil {
		return c, err
	}
	if c.Overflow < Block || c.Overflow > Drop {
		return c, &FieldError{Field: "overflow", Value: itoa(int64(c.Overflow)), Rule: "is neither Block nor Drop"}
	}
	if c.Spill.Sync < SyncBatch || c.Spill.Sync > SyncNever {
		return c, &FieldError{
			Field: "spill.sync",
			Value: itoa(int64(c.Spill.Sync)),
			Rule:  "is neither SyncBatch nor SyncNever",
		}
	}
	c.QueueSize = cmp.Or(c.QueueSize, defaultQueueSize)
	c.BatchSize = cmp.Or(c.BatchSize, defaultBatchSize)
	c.Linger = cmp.Or(c.Linger, defaultLinger)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, defaultWriteTimeout)
	c.Spill.MaxBytes = cmp.Or(c.Spill.MaxBytes, defaultSpillBytes)
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
	host, _ := os.Hostname() // on an error the name lacks the host
	return fmt.Sprintf("%s@%s[%d]", filepath.Base(os.Args[0]), host, os.Getpid())
}

// checkKey validates the length of a key. Its error does not contain the key.
func checkKey(field string, key []byte) error {
	if key != nil && len(key) < minKeyLen {
		return &FieldError{Field: field, Rule: "is shorter than 32 bytes"}
	}
	return nil
}

var errNoDB = errors.New("audit: DB is nil")
