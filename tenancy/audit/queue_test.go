package audit_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy/audit"
)

func TestAFullQueueMakesCallersWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 2})
	check(t, err)
	f.record(t, l, 2)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = l.Record(short, audit.Entry{Action: audit.Login})
	expectIs(t, err, audit.ErrFull)
	expectIs(t, err, context.DeadlineExceeded)
	waited := make(chan error)
	go func() { waited <- l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login}) }()
	back()
	check(t, <-waited)
	closeLog(t, l)
	if n := f.count(t, "tenant_id = 1"); n != 3 {
		t.Errorf("%d rows", n)
	}
	f.verify(t)
}

func (f *fixture) record(t testing.TB, l *audit.Log, n int) {
	t.Helper()
	for range n {
		check(t, l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login}))
	}
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.away(t)()
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 10, BatchSize: 2})
	check(t, err)
	f.record(t, l, 5)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err = l.Close(over)
	var lost *audit.LostError
	if !errors.As(err, &lost) || lost.Entries != 5 || stateOf(err) != "42P01" && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if again := l.Close(t.Context()); !errors.Is(again, err) {
		t.Errorf("the second time it is %v", again)
	}
	expectIs(t, l.Record(t.Context(), audit.Entry{Action: audit.Login}), audit.ErrClosed)
	expectIs(t, l.Flush(t.Context()), audit.ErrClosed)
}

func TestFlushWaitsAsLongAsItsContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	check(t, err)
	f.record(t, l, 1)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	expectIs(t, l.Flush(short), context.DeadlineExceeded)
	back()
	check(t, l.Flush(t.Context()))
	closeLog(t, l)
}

// Many record, flush and ask for the status at once, and the log is closed in the middle of it.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 50, BatchSize: 7, Linger: time.Millisecond})
	check(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	recorded := 0
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				err := l.Record(t.Context(), audit.Entry{Tenant: int64(g%3 + 1), Action: audit.Login})
				switch {
				case err == nil:
					mu.Lock()
					recorded++
					mu.Unlock()
				case !errors.Is(err, audit.ErrClosed):
					t.Error(err)
				}
				if i%50 == 0 {
					check(t, l.Flush(t.Context()))
					l.Status()
				}
				if g == 0 && i == 150 {
					wg.Go(func() { closeLog(t, l) })
				}
			}
		})
	}
	wg.Wait()
	if n := f.count(t, "tenant_id > 0"); n != recorded {
		t.Errorf("%d rows of %d", n, recorded)
	}
	f.verify(t)
}

// A log has one goroutine, and it ends with it. No other test runs meanwhile.
func TestNoGoroutineIsLeft(t *testing.T) {
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	check(t, err)
	writers := func() int {
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "audit.(*writer).run(")
	}
	f.record(t, l, 10)
	check(t, l.Flush(t.Context()))
	if n := writers(); n != 1 {
		t.Errorf("%d goroutines write", n)
	}
	closeLog(t, l)
	eventually(t, "the end of the goroutine", func() bool { return writers() == 0 })
}

func TestAConfigThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for field, cfg := range map[string]audit.Config{
		"QueueSize": {QueueSize: -1}, "BatchSize": {BatchSize: -1}, "Linger": {Linger: -1}, "WriteTimeout": {WriteTimeout: -1},
		"Spill.MaxBytes": {Spill: audit.SpillConfig{MaxBytes: -1}}, "Spill.Sync": {Spill: audit.SpillConfig{Sync: 7}},
		"Overflow": {Overflow: 7}, "Key": {Key: []byte("short")},
	} {
		_, err := audit.Open(t.Context(), f.db, cfg)
		expectField(t, err, field)
		if err != nil && strings.Contains(err.Error(), "short\"") {
			t.Errorf("the key is in %v", err)
		}
	}
	if _, err := audit.Open(t.Context(), nil, audit.Config{}); err == nil {
		t.Error("opened without a database")
	}
	for field, cfg := range map[string]audit.KeeperConfig{
		"Ahead": {Ahead: -1}, "Keep": {Keep: -1}, "LockTimeout": {LockTimeout: -1}, "Key": {Keys: [][]byte{[]byte("short")}},
	} {
		_, err := audit.NewKeeper(f.owner, cfg)
		expectField(t, err, field)
	}
}
