package redislimit_test

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/ratelimit/redislimit"
)

var hourly = ratelimit.Policy{Tenant: ratelimit.PerHour(5), Caller: ratelimit.PerHour(3)}

// short returns a configuration for tests without Redis. Its circuit closes soon. Its timeout is
// long enough for Redis on a slow machine, so that Redis counts as unavailable only when a test
// makes it so.
func short(away redislimit.Fallback) redislimit.Config {
	return redislimit.Config{Fallback: away, Timeout: 2 * time.Second, Pause: 20 * time.Millisecond}
}

// expectAway expects the fallback to decide: of 20 requests of a caller it allows as many as the
// fallback defines.
func expectAway(t *testing.T, away redislimit.Fallback, l *ratelimit.Limiter) {
	t.Helper()
	count := map[ratelimit.Verdict]int{}
	for range 20 {
		d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(9), Caller: "user:1"})
		assert.ErrorIs(t, d.Err, redislimit.ErrUnavailable)
		count[d.Verdict]++
	}
	want := map[redislimit.Fallback]map[ratelimit.Verdict]int{
		redislimit.Local:      {ratelimit.Allowed: 3, ratelimit.Limited: 17},
		redislimit.FailOpen:   {ratelimit.Allowed: 20},
		redislimit.FailClosed: {ratelimit.Undecided: 20},
	}[away]
	for _, v := range []ratelimit.Verdict{ratelimit.Allowed, ratelimit.Limited, ratelimit.Undecided} {
		assert.Equal(t, want[v], count[v], v.String())
	}
}

// expectBack waits until Redis decides again.
func expectBack(t *testing.T, l *ratelimit.Limiter, id int64) {
	t.Helper()
	until(t, "Redis decides", func() bool {
		return l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(id), Caller: "user:2"}).Err == nil
	})
}

func eachAway(t *testing.T, test func(t *testing.T, away redislimit.Fallback)) {
	for name, away := range map[string]redislimit.Fallback{
		"local": redislimit.Local, "fail open": redislimit.FailOpen, "fail closed": redislimit.FailClosed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, away)
		})
	}
}

func TestKilledRedis(t *testing.T) {
	t.Parallel()
	eachAway(t, func(t *testing.T, away redislimit.Fallback) {
		s := startRedis(t)
		store := newStore(t, s, short(away))
		l := newLimiter(t, store, always(hourly))
		assert.Equal(t, 5, allowed(t, l, ratelimit.Query{Tenant: tenant(1)}, 10), "while it lives")
		s.kill()
		expectAway(t, away, l)
		s.start(t)
		expectBack(t, l, 2)
		assert.Equal(t, false, store.Stats().CircuitOpen, "circuit")
		assert.Equal(t, 5, allowed(t, l, ratelimit.Query{Tenant: tenant(3)}, 10), "Redis decides, with new buckets")
	})
}

// A Redis that hangs accepts connections and commands, and never answers.
func TestHangingRedisDelaysFewRequests(t *testing.T) {
	t.Parallel()
	eachAway(t, func(t *testing.T, away redislimit.Fallback) {
		s := startRedis(t)
		cfg := short(away)
		cfg.Timeout = 300 * time.Millisecond
		cfg.Pause = time.Hour
		store := newStore(t, s, cfg)
		l := newLimiter(t, store, always(hourly))
		until(
			t,
			"there is a connection",
			func() bool { return l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1)}).Err == nil },
		)
		asked := store.Stats()
		s.signal(t, syscall.SIGSTOP)
		start := time.Now()
		expectAway(t, away, l)
		took := time.Since(start)
		// Three requests have waited for 300 ms each, and the others not at all. The client of Redis
		// would have waited for four times 3 s in each request.
		assert.LessOrEqual(t, took, 20*time.Second, "20 decisions took %v", took)
		got := store.Stats()
		assert.Equal(t, int64(3), got.Failed-asked.Failed, "failed requests to Redis")
		assert.Equal(t, int64(17), got.Skipped-asked.Skipped, "not asked")
		assert.Equal(t, true, got.CircuitOpen, "circuit")
		s.signal(t, syscall.SIGCONT)
	})
}

func TestRecoveredRedisIsUsedAgain(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	cfg := short(redislimit.Local)
	cfg.Timeout = 300 * time.Millisecond
	l := newLimiter(t, newStore(t, s, cfg), always(hourly))
	expectBack(t, l, 1)
	s.signal(t, syscall.SIGSTOP)
	until(t, "it is away", func() bool {
		return errors.Is(l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(2)}).Err, gobreaker.ErrOpenState)
	})
	s.signal(t, syscall.SIGCONT)
	expectBack(t, l, 3)
}

// Redis hangs during a flood: the requests in flight each wait once, at the same time.
func TestConcurrentRequestsWaitForOneTimeout(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	cfg := short(redislimit.Local)
	cfg.Timeout, cfg.Pause = 300*time.Millisecond, time.Hour
	l := newLimiter(t, newStore(t, s, cfg), always(hourly))
	expectBack(t, l, 1)
	s.signal(t, syscall.SIGSTOP)
	start := time.Now()
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for range 5 {
				assert.ErrorIs(t, l.Decide(context.Background(), ratelimit.Query{Tenant: tenant(2)}).Err, redislimit.ErrUnavailable)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	assert.LessOrEqual(t, took, 30*time.Second, "1000 decisions took %v", took)
	s.signal(t, syscall.SIGCONT)
}

func TestErrorsOfRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ refuse, accept, said string }{
		"no password":    {"config set requirepass secret", "", "NOAUTH"},
		"no memory":      {"config set maxmemory 1", "config set maxmemory 0", "OOM"},
		"a replica":      {"replicaof 127.0.0.1 1", "replicaof no one", "READONLY"},
		"no right to it": {"acl setuser default -evalsha -eval", "acl setuser default +@all", "NOPERM"},
		"too few copies": {"config set min-replicas-to-write 1", "config set min-replicas-to-write 0", "NOREPLICAS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAway(t, func(t *testing.T, away redislimit.Fallback) {
				s := startRedis(t)
				l := newLimiter(t, newStore(t, s, short(away)), always(hourly))
				s.do(t, c.refuse)
				d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1)})
				assert.ErrorContains(t, d.Err, c.said)
				expectAway(t, away, l)
				if c.accept == "" {
					return
				}
				s.do(t, c.accept)
				expectBack(t, l, 2)
			})
		})
	}
}

func TestThePasswordIsNotInTheError(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	s.do(t, "config set requirepass right-one")
	store, err := redislimit.New(s.client(t, &redis.Options{Password: "wrong-one"}), short(redislimit.FailClosed))
	require.NoError(t, err)
	d := newLimiter(t, store, always(hourly)).Decide(t.Context(), ratelimit.Query{Tenant: tenant(1)})
	assert.Zero(t, d.Verdict, "verdict")
	if assert.ErrorContains(t, d.Err, "WRONGPASS") {
		assert.NotContains(t, d.Err.Error(), "-one")
	}
}

func TestAMissingScriptIsLoadedAgain(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	l := newLimiter(t, newStore(t, s, patient), always(hourly))
	q := ratelimit.Query{Tenant: tenant(1)}
	assert.Equal(t, 2, allowed(t, l, q, 2), "before")
	s.do(t, "script flush")
	assert.Equal(t, 3, allowed(t, l, q, 10), "after")
}

// A request whose client disconnects counts against its limit. It is no failure of Redis; otherwise
// a client could open the circuit.
func TestARequestOfADisconnectedClientIsCounted(t *testing.T) {
	t.Parallel()
	store := newStore(t, startRedis(t), patient)
	l := newLimiter(t, store, always(hourly))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	yes := 0
	for range 20 {
		d := l.Decide(ctx, ratelimit.Query{Tenant: tenant(1)})
		require.NoError(t, d.Err)
		if d.Verdict == ratelimit.Allowed {
			yes++
		}
	}
	assert.Equal(t, 5, yes, "allowed")
	assert.Equal(t, redislimit.Stats{Answered: 20}, store.Stats(), "stats")
}

func TestDenyHoldsWithoutRedis(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	l := newLimiter(t, newStore(t, s, short(redislimit.FailOpen)), always(ratelimit.Policy{Tenant: ratelimit.Deny()}))
	s.kill()
	assert.Equal(t, 0, allowed(t, l, ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}, 10), "allowed")
	l = newLimiter(t, newStore(t, s, short(redislimit.FailOpen)), always(ratelimit.Policy{Caller: ratelimit.Deny()}))
	d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Caller: "user:1"})
	assert.Equal(t, ratelimit.Limited, d.Verdict, "verdict")
}
