package audit_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// clock is a clock that a test moves.
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

func (f *fixture) keep(t testing.TB, c *clock, cfg audit.KeeperConfig) (*audit.Keeper, audit.MaintainReport) {
	t.Helper()
	cfg.Clock = c.Now
	k, err := audit.NewKeeper(f.owner, cfg)
	check(t, err)
	report, err := k.Maintain(t.Context())
	check(t, err)
	return k, report
}

func TestMonthsHavePartitionsAhead(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := newClock("2026-11-30 23:59:59")
	_, report := f.keep(t, c, audit.KeeperConfig{})
	if len(report.Made) != 3 || report.Made[2].Format(time.DateOnly) != "2027-01-01" || report.Moved != 0 {
		t.Errorf("made %+v", report)
	}
	if _, report = f.keep(t, c, audit.KeeperConfig{}); len(report.Made) != 0 {
		t.Errorf("made again: %+v", report)
	}
	l, err := audit.Open(t.Context(), f.db, audit.Config{Clock: c.Now})
	check(t, err)
	f.fill(t, l, 2, 1)
	c.set("2026-12-01 00:00:00")
	f.fill(t, l, 2, 1)
	check(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	c.set("2026-11-30 23:00:00") // backwards, over the end of a month
	f.fill(t, l, 2, 1)
	check(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	c.set("2031-05-01 00:00:00") // far ahead, where nobody has made a partition
	f.fill(t, l, 2, 1)
	closeLog(t, l)
	var tables []string
	check(t, f.pg.Pool.QueryRow(t.Context(), "select array_agg(distinct tableoid::regclass::text order by tableoid::regclass::text) from public.audit_log").Scan(&tables))
	if len(tables) != 3 || tables[0] != "audit_log_2026_11" || tables[1] != "audit_log_2026_12" || tables[2] != "audit_log_default" {
		t.Errorf("rows are in %v", tables)
	}
	if report := f.verify(t); report.Chains != 6 || report.Rows != 8+2+6+1 {
		t.Errorf("%+v", report)
	}
	since := f.list(t, audit.Filter{Tenants: []int64{1}, Actions: []audit.Action{audit.Update}, Since: c.Now().AddDate(0, 0, -1)})
	if len(since) != 2 {
		t.Errorf("%d since the jump", len(since))
	}

	_, moved := f.keep(t, c, audit.KeeperConfig{})
	if len(moved.Made) != 3 || moved.Moved == 0 {
		t.Errorf("moved %+v", moved)
	}
	if n := f.count(t, "tableoid = 'public.audit_log_default'::regclass"); n != 0 {
		t.Errorf("%d rows are left in the default partition", n)
	}
	f.verify(t)
}

// What an entry says of its time is kept, but none is from the future.
func TestAnEntryHasItsOwnTime(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	before := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Microsecond)
	check(t, l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login, Time: before}))
	check(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login, Time: time.Now().AddDate(100, 0, 0)}))
	expectField(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login, Time: time.Time{}.AddDate(-5000, 0, 0)}), "time")
	check(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Tenants: []int64{1}, Actions: []audit.Action{audit.Login}})
	if len(got) != 2 || !got[0].Time.Equal(before) || time.Until(got[1].Time) > 0 {
		t.Errorf("got %v", got)
	}
	if report := f.verify(t); report.Late != 1 {
		t.Errorf("%d are late", report.Late)
	}
}

func TestOldMonthsAreRemovedAndTheRestIsWhole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key := make([]byte, 32)
	var err error
	f.reader, err = audit.NewReader(f.owner, audit.ReaderConfig{Keys: [][]byte{key}})
	check(t, err)
	c := newClock("2026-01-15 12:00:00")
	f.keep(t, c, audit.KeeperConfig{Keys: [][]byte{key}})
	l, err := audit.Open(t.Context(), f.db, audit.Config{Clock: c.Now, Key: key})
	check(t, err)
	for _, now := range []string{"2026-01-15 12:00:00", "2026-02-15 12:00:00", "2026-03-15 12:00:00"} {
		c.set(now)
		f.fill(t, l, 5, 1, 2)
		check(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	}
	heads, err := f.reader.Heads(t.Context())
	check(t, err)
	if len(heads) != 4 { // of each month a process's, and the ledger's last
		t.Errorf("%d heads", len(heads))
	}

	cfg := audit.KeeperConfig{Keep: 1, Keys: [][]byte{key}}
	_, report := f.keep(t, c, cfg)
	if len(report.Removed) != 1 || report.Removed[0].Month() != time.January || report.Chains != 2 {
		t.Errorf("removed %+v", report)
	}
	if n := f.count(t, "at < '2026-02-01'"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if report := expectReport(t, f.reader, audit.VerifyOptions{Heads: heads}); report.Chains != 4 {
		t.Errorf("%+v", report)
	}
	tenant, err := f.reader.Verify(t.Context(), 1)
	check(t, err)
	expectKinds(t, tenant)

	// A month that was tampered with is evidence.
	f.exec(t, "update public.audit_log set actor = 'eve' where month = '2026-02-01' and tenant_id = 2 and seq = 3")
	c.set("2026-04-15 12:00:00")
	cfg.Clock = c.Now
	k, err := audit.NewKeeper(f.owner, cfg)
	check(t, err)
	kept, err := k.Maintain(t.Context())
	var tamper *audit.TamperError
	if !errors.As(err, &tamper) || len(tamper.Report.Problems) != 1 || len(kept.Removed) != 0 || len(kept.Made) == 0 {
		t.Errorf("got %+v, %v", kept, err)
	}
	if f.count(t, "month = '2026-02-01'") == 0 {
		t.Error("evidence was removed")
	}
	f.exec(t, "update public.audit_log set actor = 'ada' where month = '2026-02-01' and tenant_id = 2 and seq = 3")
	_, err = k.Maintain(t.Context())
	check(t, err)
	closeLog(t, l)
	f.verify(t)

	// A month that somebody else removes is missed, also with a checkpoint that the key was not there for.
	f.exec(t, "drop table public.audit_log_2026_03")
	found, err := f.reader.VerifyAll(t.Context(), audit.VerifyOptions{})
	check(t, err)
	if found.Err() == nil {
		t.Error("a month is gone and nobody notices")
	}
	f.exec(t, `insert into public.audit_checkpoints (chain, month, position, digest, mac)
		select distinct on (chain) chain, month, position, digest, sha256('forged') from public.audit_heads where month = '2026-03-01' order by chain, position desc`)
	found, err = f.reader.VerifyAll(t.Context(), audit.VerifyOptions{})
	check(t, err)
	if found.Err() == nil {
		t.Error("a forged checkpoint was believed")
	}
}

// Several keepers, and writers meanwhile.
func TestKeepersDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{Linger: time.Millisecond})
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 3 {
		wg.Go(func() {
			report, err := f.keeper.Maintain(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			made += len(report.Made)
		})
	}
	for range 20 {
		f.fill(t, l, 5, 1)
	}
	wg.Wait()
	if made != 3 {
		t.Errorf("%d partitions were made", made)
	}
	if n := f.count(t, "tenant_id = 1"); n != 100 {
		t.Errorf("%d rows", n)
	}
	f.verify(t)
}
