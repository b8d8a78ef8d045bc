package audit_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

func TestAFullQueueMakesCallersWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 2})
	require.NoError(t, err)
	f.record(t, l, 2)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = l.Record(short, audit.Entry{Action: audit.Login})
	assert.ErrorIs(t, err, audit.ErrFull)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	waited := make(chan error)
	go func() { waited <- l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login}) }()
	back()
	require.NoError(t, <-waited)
	closeLog(t, l)
	assert.Equal(t, 3, f.count(t, "tenant_id = 1"), "rows")
	f.verify(t)
}

func (f *fixture) record(t testing.TB, l *audit.Log, n int) {
	t.Helper()
	for range n {
		require.NoError(t, l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login}))
	}
}

func TestCloseReportsLostEntries(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.away(t)()
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 10, BatchSize: 2})
	require.NoError(t, err)
	f.record(t, l, 5)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err = l.Close(over)
	var lost *audit.LostError
	if assert.ErrorAs(t, err, &lost) && assert.Equal(t, int64(5), lost.Entries) {
		assert.False(t, stateOf(err) != "42P01" && !errors.Is(err, context.Canceled), "got %v", err)
	}
	assert.ErrorIs(t, l.Close(t.Context()), err, "the second time it")
	assert.ErrorIs(t, l.Record(t.Context(), audit.Entry{Action: audit.Login}), audit.ErrClosed)
	assert.ErrorIs(t, l.Flush(t.Context()), audit.ErrClosed)
}

func TestFlushWaitsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	require.NoError(t, err)
	f.record(t, l, 1)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, l.Flush(short), context.DeadlineExceeded)
	back()
	require.NoError(t, l.Flush(t.Context()))
	closeLog(t, l)
}

// Goroutines record, flush and read the status concurrently, and the log is closed meanwhile.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 50, BatchSize: 7, Linger: time.Millisecond})
	require.NoError(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	recorded := 0
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				err := l.Record(t.Context(), audit.Entry{Tenant: int64(g%3 + 1), Action: audit.Login})
				if err == nil {
					mu.Lock()
					recorded++
					mu.Unlock()
				} else {
					assert.ErrorIs(t, err, audit.ErrClosed)
				}
				if i%50 == 0 {
					assert.NoError(t, l.Flush(t.Context()))
					l.Status()
				}
				if g == 0 && i == 150 {
					wg.Go(func() { closeLog(t, l) })
				}
			}
		})
	}
	wg.Wait()
	n := f.count(t, "tenant_id > 0")
	assert.Equal(t, recorded, n, "%d rows of %d", n, recorded)
	f.verify(t)
}

// A log has one goroutine, which ends with the log. The test does not run in parallel with others.
func TestNoGoroutineIsLeft(t *testing.T) {
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	require.NoError(t, err)
	writers := func() int {
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "audit.(*writer).run(")
	}
	f.record(t, l, 10)
	require.NoError(t, l.Flush(t.Context()))
	assert.Equal(t, 1, writers(), "goroutines write")
	closeLog(t, l)
	eventually(t, "the end of the goroutine", func() bool { return writers() == 0 })
}

func TestInvalidConfigs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for field, cfg := range map[string]audit.Config{
		"queue_size": {QueueSize: -1}, "batch_size": {BatchSize: -1},
		"linger": {Linger: -1}, "write_timeout": {WriteTimeout: -1},
		"spill.max_bytes": {Spill: audit.SpillConfig{MaxBytes: -1}}, "spill.sync": {Spill: audit.SpillConfig{Sync: 7}},
		"overflow": {Overflow: 7}, "key": {Key: []byte("short")},
	} {
		_, err := audit.Open(t.Context(), f.db, cfg)
		expectField(t, err, field)
		if err != nil {
			assert.NotContains(t, err.Error(), "short\"", "the key is in %v", err)
		}
	}
	_, err := audit.Open(t.Context(), nil, audit.Config{})
	assert.Error(t, err, "Open accepted a nil database")
	for field, cfg := range map[string]audit.PartitionMaintainerConfig{
		"ahead": {Ahead: -1}, "keep": {Keep: -1}, "lock_timeout": {LockTimeout: -1},
		"keys": {Keys: [][]byte{[]byte("short")}},
	} {
		_, err := audit.NewPartitionMaintainer(f.owner, cfg)
		expectField(t, err, field)
	}
}
