package audit_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock(now string) *clock {
	t, err := time.Parse(time.DateTime, now)
	if err != nil {
		panic(err)
	}
	return &clock{now: t}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now string) {
	next := newClock(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = next.now
}

func (f *fixture) keep(
	t testing.TB,
	c *clock,
	cfg audit.PartitionMaintainerConfig,
) (*audit.PartitionMaintainer, audit.MaintainReport) {
	t.Helper()
	cfg.Clock = c.Now
	k, err := audit.NewPartitionMaintainer(f.owner, cfg)
	require.NoError(t, err)
	report, err := k.Maintain(t.Context())
	require.NoError(t, err)
	return k, report
}

func TestMonthsHavePartitionsAhead(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := newClock("2026-11-30 23:59:59")
	_, report := f.keep(t, c, audit.PartitionMaintainerConfig{})
	if assert.Len(t, report.Made, 3, "made %+v", report) &&
		assert.Equal(t, "2027-01-01", report.Made[2].Format(time.DateOnly), "made %+v", report) {
		assert.Zero(t, report.Moved, "made %+v", report)
	}
	_, report = f.keep(t, c, audit.PartitionMaintainerConfig{})
	assert.Empty(t, report.Made, "made again: %+v", report)
	l, err := audit.Open(t.Context(), f.db, audit.Config{Clock: c.Now})
	require.NoError(t, err)
	f.fill(t, l, 2, 1)
	c.set("2026-12-01 00:00:00")
	f.fill(t, l, 2, 1)
	require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	c.set("2026-11-30 23:00:00") // back to the previous month
	f.fill(t, l, 2, 1)
	require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	c.set("2031-05-01 00:00:00") // far ahead, without a partition
	f.fill(t, l, 2, 1)
	closeLog(t, l)
	var tables []string
	require.NoError(
		t,
		f.pg.Pool.QueryRow(t.Context(), "select array_agg(distinct tableoid::regclass::text "+
			"order by tableoid::regclass::text) from public.audit_log").
			Scan(&tables),
	)
	if assert.Len(t, tables, 3, "rows are in %v", tables) &&
		assert.Equal(t, "audit_log_2026_11", tables[0], "rows are in %v", tables) &&
		assert.Equal(t, "audit_log_2026_12", tables[1], "rows are in %v", tables) {
		assert.Equal(t, "audit_log_default", tables[2], "rows are in %v", tables)
	}
	verified := f.verify(t)
	assert.Equal(t, 6, verified.Chains, verified)
	assert.Equal(t, int64(8+2+6+1), verified.Rows, verified)
	since := f.list(
		t,
		audit.Filter{Tenants: []int64{1}, Actions: []audit.Action{audit.Update}, Since: c.Now().AddDate(0, 0, -1)},
	)
	assert.Len(t, since, 2, "%d since the jump", len(since))

	_, moved := f.keep(t, c, audit.PartitionMaintainerConfig{})
	assert.Len(t, moved.Made, 3, "moved %+v", moved)
	assert.NotZero(t, moved.Moved, "moved %+v", moved)
	assert.Equal(t, 0, f.count(t, "tableoid = 'public.audit_log_default'::regclass"),
		"rows are left in the default partition")
	f.verify(t)
}

// An entry keeps its own time, unless that is in the future.
func TestAnEntryHasItsOwnTime(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	before := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Microsecond)
	require.NoError(t, l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login, Time: before}))
	require.NoError(t,
		l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login, Time: time.Now().AddDate(100, 0, 0)}))
	expectField(
		t,
		l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login, Time: time.Time{}.AddDate(-5000, 0, 0)}),
		"time",
	)
	require.NoError(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Tenants: []int64{1}, Actions: []audit.Action{audit.Login}})
	if assert.Len(t, got, 2) && assert.WithinDuration(t, before, got[0].Time, 0) {
		assert.False(t, time.Until(got[1].Time) > 0, "got %v", got)
	}
	report := f.verify(t)
	assert.Equal(t, int64(1), report.Late, "%d are late", report.Late)
}

func TestOldMonthsAreRemovedAndTheRestVerifies(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key := make([]byte, 32)
	var err error
	f.reader, err = audit.NewReader(f.owner, audit.ReaderConfig{Keys: [][]byte{key}})
	require.NoError(t, err)
	c := newClock("2026-01-15 12:00:00")
	f.keep(t, c, audit.PartitionMaintainerConfig{Keys: [][]byte{key}})
	l, err := audit.Open(t.Context(), f.db, audit.Config{Clock: c.Now, Key: key})
	require.NoError(t, err)
	for _, now := range []string{"2026-01-15 12:00:00", "2026-02-15 12:00:00", "2026-03-15 12:00:00"} {
		c.set(now)
		f.fill(t, l, 5, 1, 2)
		require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	}
	heads, err := f.reader.Heads(t.Context())
	require.NoError(t, err)
	// per month the head of one process, and the last head of the ledger
	assert.Len(t, heads, 4)

	cfg := audit.PartitionMaintainerConfig{Keep: 1, Keys: [][]byte{key}}
	_, report := f.keep(t, c, cfg)
	if assert.Len(t, report.Removed, 1, "removed %+v", report) &&
		assert.Equal(t, time.January, report.Removed[0].Month(), "removed %+v", report) {
		assert.Equal(t, 2, report.Chains, "removed %+v", report)
	}
	assert.Equal(t, 0, f.count(t, "at < '2026-02-01'"), "rows are left")
	verified := expectReport(t, f.reader, audit.VerifyOptions{Heads: heads})
	assert.Equal(t, 4, verified.Chains, verified)
	tenant, err := f.reader.Verify(t.Context(), 1)
	require.NoError(t, err)
	expectKinds(t, tenant)

	// A month with manipulated rows is kept as evidence.
	f.exec(t, "update public.audit_log set actor = 'eve' where month = '2026-02-01' and tenant_id = 2 and seq = 3")
	c.set("2026-04-15 12:00:00")
	cfg.Clock = c.Now
	k, err := audit.NewPartitionMaintainer(f.owner, cfg)
	require.NoError(t, err)
	kept, err := k.Maintain(t.Context())
	var tamper *audit.TamperError
	if assert.ErrorAs(t, err, &tamper, kept) &&
		assert.Len(t, tamper.Report.Problems, 1, kept) &&
		assert.Empty(t, kept.Removed, kept) {
		assert.NotEmpty(t, kept.Made, kept)
	}
	assert.NotZero(t, f.count(t, "month = '2026-02-01'"), "a tampered month was removed")
	f.exec(t, "update public.audit_log set actor = 'ada' where month = '2026-02-01' and tenant_id = 2 and seq = 3")
	_, err = k.Maintain(t.Context())
	require.NoError(t, err)
	closeLog(t, l)
	f.verify(t)

	// Verification finds that another role has removed a month, even if there is a checkpoint that was
	// made without the key.
	f.exec(t, "drop table public.audit_log_2026_03")
	found, err := f.reader.VerifyAll(t.Context(), audit.VerifyOptions{})
	require.NoError(t, err)
	assert.Error(t, found.Err(), "a missing month is not reported")
	f.exec(t, `insert into public.audit_checkpoints (chain, month, position, digest, mac)
		select distinct on (chain) chain, month, position, digest, sha256('forged') from public.audit_heads
		where month = '2026-03-01' order by chain, position desc`)
	found, err = f.reader.VerifyAll(t.Context(), audit.VerifyOptions{})
	require.NoError(t, err)
	assert.Error(t, found.Err(), "a forged checkpoint was accepted")
}

// Several maintainers run while entries are written.
func TestConcurrentPartitionMaintainers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{Linger: time.Millisecond})
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 3 {
		wg.Go(func() {
			report, err := f.maintainer.Maintain(t.Context())
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			made += len(report.Made)
		})
	}
	for range 20 {
		f.fill(t, l, 5, 1)
	}
	wg.Wait()
	assert.Equal(t, 3, made, "%d partitions were made", made)
	assert.Equal(t, 100, f.count(t, "tenant_id = 1"), "rows")
	f.verify(t)
}
