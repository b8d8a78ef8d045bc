package redislimit_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/ratelimit/redislimit"
)

var hourly = ratelimit.Policy{Tenant: ratelimit.PerHour(5), Caller: ratelimit.PerHour(3)}

// short is a configuration for tests of what is decided without Redis. Its circuit closes soon, and patience is for Redis to answer
// on a machine that is slow, so that it is away for no other reason.
func short(away redislimit.Away) redislimit.Config {
	return redislimit.Config{Away: away, Timeout: 2 * time.Second, Pause: 20 * time.Millisecond}
}

// expectAway checks that the policy for Redis being away is what decides: of 20 requests of a caller, so many are allowed.
func expectAway(t *testing.T, away redislimit.Away, l *ratelimit.Limiter) {
	t.Helper()
	count := map[ratelimit.Verdict]int{}
	for range 20 {
		d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(9), Caller: "user:1"})
		expectIs(t, d.Err, redislimit.ErrAway)
		count[d.Verdict]++
	}
	want := map[redislimit.Away]map[ratelimit.Verdict]int{
		redislimit.Local:      {ratelimit.Allowed: 3, ratelimit.Limited: 17},
		redislimit.FailOpen:   {ratelimit.Allowed: 20},
		redislimit.FailClosed: {ratelimit.Undecided: 20},
	}[away]
	for _, v := range []ratelimit.Verdict{ratelimit.Allowed, ratelimit.Limited, ratelimit.Undecided} {
		expect(t, v.String(), count[v], want[v])
	}
}

// expectBack waits until Redis decides again, by what it remembers or does not.
func expectBack(t *testing.T, l *ratelimit.Limiter, id int64) {
	t.Helper()
	until(t, "Redis decides", func() bool {
		return l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(id), Caller: "user:2"}).Err == nil
	})
}

func eachAway(t *testing.T, test func(t *testing.T, away redislimit.Away)) {
	for name, away := range map[string]redislimit.Away{
		"local": redislimit.Local, "fail open": redislimit.FailOpen, "fail closed": redislimit.FailClosed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, away)
		})
	}
}

func TestRedisThatWasKilled(t *testing.T) {
	t.Parallel()
	eachAway(t, func(t *testing.T, away redislimit.Away) {
		s := startRedis(t)
		store := newStore(t, s, short(away))
		l := newLimiter(t, store, always(hourly))
		expect(t, "while it lives", allowed(t, l, ratelimit.Query{Tenant: tenant(1)}, 10), 5)
		s.kill()
		expectAway(t, away, l)
		s.start(t)
		expectBack(t, l, 2)
		expect(t, "circuit", store.Stats().Away, false)
		expect(t, "Redis decides, with new buckets", allowed(t, l, ratelimit.Query{Tenant: tenant(3)}, 10), 5)
	})
}

// A Redis that hangs accepts connections and commands, and never answers.
func TestRedisThatHangsHoldsUpFewRequests(t *testing.T) {
	t.Parallel()
	eachAway(t, func(t *testing.T, away redislimit.Away) {
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
		// Three requests have waited for 300 ms each, and the others not at all. The client would have waited 3 s, four times, each.
		if took > 20*time.Second {
			t.Errorf("20 decisions took %v", took)
		}
		got := store.Stats()
		expect(t, "asked in vain", got.Failed-asked.Failed, 3)
		expect(t, "not asked", got.Skipped-asked.Skipped, 17)
		expect(t, "circuit", got.Away, true)
		s.signal(t, syscall.SIGCONT)
	})
}

func TestRedisThatGoesOnIsAskedAgain(t *testing.T) {
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

// A flood at the moment when Redis begins to hang: all that were on their way wait once, at the same time.
func TestRequestsOnTheirWayWaitOnce(t *testing.T) {
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
				expectIs(t, l.Decide(context.Background(), ratelimit.Query{Tenant: tenant(2)}).Err, redislimit.ErrAway)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("1000 decisions took %v", took)
	}
	s.signal(t, syscall.SIGCONT)
}

func TestRedisThatRefuses(t *testing.T) {
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
			eachAway(t, func(t *testing.T, away redislimit.Away) {
				s := startRedis(t)
				l := newLimiter(t, newStore(t, s, short(away)), always(hourly))
				s.do(t, c.refuse)
				d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1)})
				if d.Err == nil || !strings.Contains(d.Err.Error(), c.said) {
					t.Errorf("got %v, want %s", d.Err, c.said)
				}
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

func TestAWrongPasswordIsNotInTheError(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	s.do(t, "config set requirepass right-one")
	store, err := redislimit.New(s.client(t, &redis.Options{Password: "wrong-one"}), short(redislimit.FailClosed))
	check(t, err)
	d := newLimiter(t, store, always(hourly)).Decide(t.Context(), ratelimit.Query{Tenant: tenant(1)})
	expect(t, "verdict", d.Verdict, ratelimit.Undecided)
	if d.Err == nil || !strings.Contains(d.Err.Error(), "WRONGPASS") || strings.Contains(d.Err.Error(), "-one") {
		t.Errorf("got %v", d.Err)
	}
}

func TestARedisThatHasForgottenItsScriptsIsTold(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	l := newLimiter(t, newStore(t, s, patient), always(hourly))
	q := ratelimit.Query{Tenant: tenant(1)}
	expect(t, "before", allowed(t, l, q, 2), 2)
	s.do(t, "script flush")
	expect(t, "after", allowed(t, l, q, 10), 3)
}

// Who hangs up has asked nevertheless, and it is no failure of Redis: else a client could open the circuit.
func TestAClientThatHangsUpIsCounted(t *testing.T) {
	t.Parallel()
	store := newStore(t, startRedis(t), patient)
	l := newLimiter(t, store, always(hourly))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	yes := 0
	for range 20 {
		d := l.Decide(ctx, ratelimit.Query{Tenant: tenant(1)})
		check(t, d.Err)
		if d.Verdict == ratelimit.Allowed {
			yes++
		}
	}
	expect(t, "allowed", yes, 5)
	expect(t, "stats", store.Stats(), redislimit.Stats{Answered: 20})
}

func TestNothingStaysNothingWithoutRedis(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	l := newLimiter(t, newStore(t, s, short(redislimit.FailOpen)), always(ratelimit.Policy{Tenant: ratelimit.Nothing()}))
	s.kill()
	expect(t, "allowed", allowed(t, l, ratelimit.Query{Tenant: tenant(1), Caller: "user:1"}, 10), 0)
	l = newLimiter(t, newStore(t, s, short(redislimit.FailOpen)), always(ratelimit.Policy{Caller: ratelimit.Nothing()}))
	d := l.Decide(t.Context(), ratelimit.Query{Tenant: tenant(1), Caller: "user:1"})
	expect(t, "verdict", d.Verdict, ratelimit.Limited)
}
