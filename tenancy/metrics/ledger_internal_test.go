package metrics

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func nobodyGone(string, time.Time) bool { return false }

func testLedger(t *testing.T, cfg Config) *ledger {
	t.Helper()
	cfg, err := cfg.withDefaults()
	require.NoError(t, err)
	return newLedger(cfg)
}

// client does what Prometheus does with a counter: it keeps the last value of each series and the
// total growth of all series.
type client struct {
	t    *testing.T
	last map[string]uint64
	sum  uint64
}

func (c *client) scrape(all []series) (names []string) {
	c.t.Helper()
	seen := make(map[string]bool)
	for _, s := range all {
		assert.False(c.t, seen[s.name], "%s is shown twice", s.name)
		seen[s.name] = true
		now, before := s.cells[cellStatements], c.last[s.name]
		assert.GreaterOrEqual(c.t, now, before, "%s went back from %d to %d", s.name, before, now)
		c.sum += now - before
		c.last[s.name] = now
		names = append(names, s.name)
	}
	return names
}

// While tenants gain and lose their own series, no counter decreases, and the total growth equals
// the number of events.
func TestCountersNeverDecreaseAndLoseNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		l := testLedger(t, Config{TopTenants: 5, MaxTenants: 40})
		c := &client{t: t, last: make(map[string]uint64)}
		now, total, was := time.Now(), uint64(0), make(map[string]bool)
		for range 200 {
			favourite := rng.IntN(50)
			for range rng.IntN(200) {
				tenant := rng.IntN(50)
				if rng.IntN(2) == 0 {
					tenant = favourite
				}
				n := uint64(1 + rng.IntN(9))
				l.of(fmt.Sprintf("tenant_%d", tenant)).add(cellStatements, n)
				total += n
			}
			now = now.Add(time.Duration(rng.IntN(300)) * time.Second)
			names := c.scrape(l.snapshot(now, nobodyGone))
			require.LessOrEqual(t, len(names), 5+3, "shows %q", names)
			for _, name := range names {
				was[name] = true
			}
		}
		c.scrape(l.snapshot(now, nobodyGone)) // for tenants that have just got a series
		assert.Equal(t, total, c.sum, "seed %d: all series together grew by %d", seed, c.sum)
		assert.GreaterOrEqual(t, len(was), 10,
			"seed %d: only %d tenants ever had a name: nothing was tried", seed, len(was))
	}
}

func TestCountersOfManyGoroutinesWhileTenantsComeAndGo(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{TopTenants: 3, RankInterval: time.Millisecond})
	c := &client{t: t, last: make(map[string]uint64)}
	gone := func(schema string, _ time.Time) bool { return len(schema)%2 == 0 }
	const workers, rounds = 8, 2000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				schema := fmt.Sprintf("tenant_%d", (w*i)%150)
				l.hold(schema)
				l.of(schema).add(cellStatements, 1)
				l.free(schema)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	now := time.Now()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		now = now.Add(13 * time.Hour) // all tenants are forgotten
		c.scrape(l.snapshot(now, gone))
	}
	for range 3 {
		now = now.Add(13 * time.Hour)
		for _, s := range l.snapshot(now, nobodyGone) {
			assert.Zero(t, s.held, "%s holds %d connections", s.name, s.held)
			c.scrape([]series{s})
		}
	}
	// The events of a tenant that has lost its series for good were exported while it had one.
	assert.Equal(t, uint64(workers*rounds), c.sum, "all series together grew by %d", c.sum)
}

func TestTheMostActiveTenantsHaveStablePlaces(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{TopTenants: 1})
	now := time.Now()
	does := func(schema string, n uint64) { l.of(schema).add(cellStatements, n) }
	expect := func(want string) {
		t.Helper()
		now = now.Add(time.Minute)
		got := l.snapshot(now, nobodyGone)[0].name
		assert.Equal(t, want, got, "the place is %q's, want", got)
	}
	does("a", 10)
	does("b", 5)
	expect("a")
	does("b", 9) // about 14, which is more, but less than 1.5 times as much
	expect("a")
	does("b", 10)
	expect("b")
	does("a", 12)
	expect("b")
	expect("b") // no tenant is active
	now = now.Add(24 * time.Hour)
	does("c", 1) // all others are forgotten
	expect("c")
}

func TestAFreePlaceIsAssignedAtOnce(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{TopTenants: 2, RankInterval: time.Hour})
	now := time.Now()
	l.of("a").add(cellLoginFailures, 1)
	got := l.snapshot(now, nobodyGone)
	if assert.Equal(t, "a", got[0].name, "shows %+v", got[0]) {
		assert.Equal(t, uint64(1), got[0].cells[cellLoginFailures], "shows %+v", got[0])
	}
	l.of("b").add(cellLoginFailures, 1)
	got = l.snapshot(now, nobodyGone)
	if assert.Equal(t, "b", got[1].name, "shows %+v, want a series that begins with zero", got[1]) {
		assert.Zero(t, got[1].cells[cellLoginFailures], "shows %+v, want a series that begins with zero", got[1])
	}
	got = l.snapshot(now, nobodyGone)
	assert.Equal(t, uint64(1), got[1].cells[cellLoginFailures], "shows %+v, want what happened before", got[1])
}

func TestDroppedTenantsUseNoMemory(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{TopTenants: 10, MaxTenants: 1000})
	now, drop := time.Now(), func(string, time.Time) bool { return true }
	for round := range 5 {
		for i := range 1500 {
			l.of(fmt.Sprintf("tenant_%d_%d", round, i)).add(cellStatements, 1)
		}
		assert.LessOrEqual(t, l.count.Load(), int64(1000), "are counted one by one")
		for range 3 {
			now = now.Add(13 * time.Hour)
			l.snapshot(now, drop)
		}
		assert.Zero(t, l.count.Load(), "are left")
		assert.Empty(t, l.list)
		assert.Empty(t, l.retired)
	}
	got := l.snapshot(now, drop)
	assert.Equal(t, uint64(5*1500), got[len(got)-1].cells[cellStatements],
		"the others have %d statements, want all", got[len(got)-1].cells[cellStatements])
}

// A tenant beyond the limit may get an account while it holds connections.
func TestConnectionsAreReleasedWhereTheyWereCounted(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{MaxTenants: 1})
	now := time.Now()
	l.of("a").add(cellStatements, 1)
	for range 3 { // of b, for which there is no room
		l.hold("b")
	}
	l.free("b")
	assert.Equal(t, int64(2), l.rest.counters.held.Load(), "the others hold")
	for range 3 {
		now = now.Add(13 * time.Hour)
		l.snapshot(now, func(string, time.Time) bool { return true })
	}
	require.Zero(t, l.count.Load(), "a has an account")
	l.free("b")
	assert.Equal(t, int64(1), l.rest.counters.held.Load(), "the others hold")
	l.of("b").add(cellStatements, 1)
	b := l.hold("b")
	require.NotSame(t, l.rest.counters, b, "b has no account")
	assert.Equal(t, int64(2), b.held.Load(), "b holds")
	l.free("b")
	l.free("b")
	assert.Zero(t, b.held.Load(), "b holds")
	assert.Zero(t, l.rest.counters.held.Load(), "the others hold")
	assert.Empty(t, l.restHeld)
	for range 3 {
		now = now.Add(13 * time.Hour)
		l.snapshot(now, func(string, time.Time) bool { return true })
	}
	assert.Zero(t, l.count.Load(), "b is never forgotten")
}

func TestConnectionsBeyondTheLimitWhileTenantsComeAndGo(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{MaxTenants: 3, RankInterval: time.Millisecond})
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 2000 {
				schema := fmt.Sprintf("tenant_%d", (w*i)%20)
				l.hold(schema)
				l.hold(schema)
				l.free(schema)
				l.free(schema)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		workers.Wait()
		close(done)
	}()
	now, gone := time.Now(), func(string, time.Time) bool { return true }
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		now = now.Add(13 * time.Hour)
		l.snapshot(now, gone)
	}
	for range 3 {
		now = now.Add(13 * time.Hour)
		l.snapshot(now, gone)
	}
	assert.Zero(t, l.rest.counters.held.Load(), "the others hold")
	assert.Zero(t, l.count.Load(), "accounts are never forgotten")
	assert.Empty(t, l.restHeld)
}

func TestAClockThatGoesBackwardsChangesNothing(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{TopTenants: 1})
	c := &client{t: t, last: make(map[string]uint64)}
	now := time.Now()
	for i := range 100 {
		l.of("a").add(cellStatements, 2)
		l.of("b").add(cellStatements, 1)
		if i%3 == 0 {
			now = now.Add(-time.Hour)
		} else {
			now = now.Add(2 * time.Minute)
		}
		names := c.scrape(l.snapshot(now, nobodyGone))
		assert.Equal(t, "a", names[0], "shows %q", names)
	}
	assert.Equal(t, uint64(300), c.sum, "grew by %d, want 300", c.sum)
}

func TestSchemasWithoutATenantHaveNoSeries(t *testing.T) {
	t.Parallel()
	l := testLedger(t, Config{})
	for _, name := range []string{
		"other", "none", "pg_catalog", `a"b`, "a\nb", "\xff\xfe", "Acme", string(make([]byte, 100)),
	} {
		l.of(name).add(cellStatements, 1)
	}
	got := l.snapshot(time.Now(), nobodyGone)
	if assert.Len(t, got, 3, "shows") && assert.Equal(t, otherName, got[2].name, "shows") {
		assert.Equal(t, uint64(8), got[2].cells[cellStatements], "shows")
	}
}
