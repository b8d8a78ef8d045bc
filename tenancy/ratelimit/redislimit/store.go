package redislimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// tripAfter is how many failures in a row open the circuit: one may be a lost packet.
const tripAfter = 3

// Store keeps buckets in Redis. It is safe for concurrent use, and as many processes as like may use the same namespace. It
// does not close its client.
type Store struct {
	cfg      Config
	limiter  *redis_rate.Limiter
	breaker  *gobreaker.CircuitBreaker[ratelimit.Taken]
	answered atomic.Int64
	failed   atomic.Int64
	skipped  atomic.Int64
}

var _ ratelimit.Store = (*Store)(nil)

// New returns a store in the Redis that client reaches, without asking it anything. client must heed the timeouts of
// contexts: Options.ContextTimeoutEnabled has to be set; of a client that is none of go-redis' own it is believed. What makes
// no sense is a [tenancy.FieldError].
//
// [tenancy.FieldError]: https://pkg.go.dev/github.com/oryne/pgtenant/tenancy#FieldError
func New(client redis.UniversalClient, cfg Config) (*Store, error) {
	if err := checkClient(client); err != nil {
		return nil, err
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("redislimit: %w", err)
	}
	return &Store{
		cfg:     cfg,
		limiter: redis_rate.NewLimiter(client),
		breaker: gobreaker.NewCircuitBreaker[ratelimit.Taken](gobreaker.Settings{
			Timeout:     cfg.Pause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		}),
	}, nil
}

// Stats are numbers of decisions since the [Store] was made, and how it is now.
type Stats struct {
	Answered int64 // by Redis
	Failed   int64 // asked of Redis in vain
	Skipped  int64 // not asked of Redis, because it was away a moment ago
	Away     bool  // whether nobody but one that tries would be asked now
}

// Stats returns the numbers at about this moment.
func (s *Store) Stats() Stats {
	return Stats{
		Answered: s.answered.Load(), Failed: s.failed.Load(), Skipped: s.skipped.Load(),
		Away: s.breaker.State() != gobreaker.StateClosed,
	}
}

// Take is a ratelimit.Store's. It returns within [Config].Timeout. The end of ctx does not end it: a client who hangs up
// does not get its request for nothing, and is no failure of Redis.
func (s *Store) Take(ctx context.Context, k ratelimit.Take) (ratelimit.Taken, error) {
	taken, err := s.breaker.Execute(func() (ratelimit.Taken, error) { return s.ask(ctx, k) })
	switch {
	case err == nil:
		s.answered.Add(1)
		return taken, nil
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		s.skipped.Add(1)
	default:
		s.failed.Add(1)
	}
	return s.without(ctx, k, err)
}

// ask asks Redis: the caller's bucket, and the tenant's if that has enough.
func (s *Store) ask(ctx context.Context, k ratelimit.Take) (taken ratelimit.Taken, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cancel()
	if k.Policy.Tenant.IsNothing() { // no bucket has to say so
		return ratelimit.Taken{Tenant: uncounted(k.Policy.Tenant), Caller: ratelimit.Level{Unknown: true}}, nil
	}
	if k.Caller != "" {
		taken.Caller, err = s.level(ctx, k.Policy.Caller, k.Cost, func() string { return s.callerKey(k) })
		if err != nil || taken.Caller.Refused {
			taken.Tenant.Unknown = true
			return taken, err
		}
	}
	taken.Tenant, err = s.level(ctx, k.Policy.Tenant, k.Cost, func() string { return s.tenantKey(k) })
	return taken, err
}

// level takes from one bucket.
func (s *Store) level(ctx context.Context, l ratelimit.Limit, cost int, key func() string) (ratelimit.Level, error) {
	if l.IsUnlimited() || l.IsNothing() {
		return uncounted(l), nil
	}
	limit := redis_rate.Limit{Rate: l.Requests, Period: period(l), Burst: l.Capacity()}
	r, err := s.limiter.AllowN(ctx, key(), limit, cost)
	if err != nil {
		return ratelimit.Level{}, err
	}
	return levelOf(l, cost, r), nil
}

// levelOf reads what is left from the time until the bucket is full, because the script rounds the number down, by a token
// that is there but for the last bit of a float.
func levelOf(l ratelimit.Limit, cost int, r *redis_rate.Result) ratelimit.Level {
	level := ratelimit.Level{Refused: r.Allowed == 0}
	if level.Refused && cost <= l.Capacity() {
		level.Wait = max(r.RetryAfter, 1)
	}
	one := float64(period(l)) / float64(l.Requests)
	missing := float64(r.ResetAfter) / one // tokens
	const bit = 1e-3
	level.Remaining = min(max(int(float64(l.Capacity())-missing+bit), 0), l.Capacity())
	if level.Remaining < l.Capacity() {
		level.Next = max(time.Duration((missing-float64(l.Capacity()-level.Remaining-1))*one), 1)
	}
	return level
}

func period(l ratelimit.Limit) time.Duration { return cmp.Or(l.Per, time.Second) }
