package redislimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// tripAfter is the number of consecutive failures that opens the circuit. A single failure may be a
// lost packet.
const tripAfter = 3

// Store is a ratelimit.Store that keeps buckets in Redis. It is safe for concurrent use. Any number
// of processes may use one namespace. Store does not close its client.
type Store struct {
	cfg      Config
	client   redis.Scripter
	breaker  *gobreaker.CircuitBreaker[ratelimit.Result]
	answered atomic.Int64
	failed   atomic.Int64
	skipped  atomic.Int64
}

var _ ratelimit.Store = (*Store)(nil)

// New returns a store that uses client. It does not contact Redis. The client must obey context
// timeouts: Options.ContextTimeoutEnabled must be set. The options of a client type outside of
// go-redis cannot be checked. An invalid configuration is a [tenancy.FieldError].
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
		cfg:    cfg,
		client: client,
		breaker: gobreaker.NewCircuitBreaker[ratelimit.Result](gobreaker.Settings{
			Timeout:     cfg.Pause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		}),
	}, nil
}

// Stats counts decisions since the [Store] was created and has the current state of the circuit.
type Stats struct {
	Answered    int64 // decided by Redis
	Failed      int64 // requests to Redis that failed
	Skipped     int64 // decided without a request to Redis, because the circuit was open
	CircuitOpen bool  // whether the circuit is open or half-open
}

// Stats returns approximate current figures.
func (s *Store) Stats() Stats {
	return Stats{
		Answered: s.answered.Load(), Failed: s.failed.Load(), Skipped: s.skipped.Load(),
		CircuitOpen: s.breaker.State() != gobreaker.StateClosed,
	}
}

// Allow implements ratelimit.Store. It returns within [Config].Timeout. The end of ctx does not
// stop it: a client that disconnects still pays for its request, and its disconnect does not count
// as a failure of Redis.
func (s *Store) Allow(ctx context.Context, k ratelimit.AllowRequest) (ratelimit.Result, error) {
	taken, err := s.breaker.Execute(func() (ratelimit.Result, error) { return s.ask(ctx, k) })
	switch {
	case err == nil:
		s.answered.Add(1)
		return taken, nil
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		s.skipped.Add(1)
	default:
		s.failed.Add(1)
	}
	return s.fallBack(ctx, k, err)
}

// ask takes from the bucket of the caller, and then from the bucket of the tenant if the first had
// enough.
func (s *Store) ask(ctx context.Context, k ratelimit.AllowRequest) (taken ratelimit.Result, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cancel()
	if k.Policy.Tenant.IsDeny() { // needs no bucket
		return ratelimit.Result{Tenant: uncounted(k.Policy.Tenant), Caller: ratelimit.BucketState{Unknown: true}}, nil
	}
	if k.Caller != "" {
		taken.Caller, err = s.take(ctx, k.Policy.Caller, k.Cost, func() string { return s.callerKey(k) })
		if err != nil || taken.Caller.Refused {
			taken.Tenant.Unknown = true
			return taken, err
		}
	}
	taken.Tenant, err = s.take(ctx, k.Policy.Tenant, k.Cost, func() string { return s.tenantKey(k) })
	return taken, err
}

// take takes cost tokens from one bucket.
func (s *Store) take(
	ctx context.Context, l ratelimit.Limit, cost int, key func() string,
) (ratelimit.BucketState, error) {
	if l.IsUnlimited() || l.IsDeny() {
		return uncounted(l), nil
	}
	a, err := runGCRA(ctx, s.client, key(), l, cost)
	if err != nil {
		return ratelimit.BucketState{}, err
	}
	return bucketState(l, cost, a), nil
}

// bucketState computes the remaining tokens from the time until the bucket is full. It rounds up a
// token that is complete but for the last bit of a float.
func bucketState(l ratelimit.Limit, cost int, a answer) ratelimit.BucketState {
	level := ratelimit.BucketState{Refused: !a.taken}
	if level.Refused && cost <= l.Capacity() {
		level.Wait = max(a.wait, 1)
	}
	one := float64(period(l)) / float64(l.Requests)
	missing := float64(a.full) / one // tokens
	const bit = 1e-3
	level.Remaining = min(max(int(float64(l.Capacity())-missing+bit), 0), l.Capacity())
	if level.Remaining < l.Capacity() {
		level.Next = max(time.Duration((missing-float64(l.Capacity()-level.Remaining-1))*one), 1)
	}
	return level
}

func period(l ratelimit.Limit) time.Duration { return cmp.Or(l.Per, time.Second) }
