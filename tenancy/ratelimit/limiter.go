package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/oryne/pgtenant/tenancy"
)

// Config configures a [Limiter].
type Config struct {
	// Limits returns the policy of each tenant. Required.
	Limits Limits

	// Public is the policy of the public site. Its Tenant limit applies to all requests of the public
	// site together. Default: the defaults of [Policy].
	Public Policy

	// Store keeps the buckets. Default: new [Buckets].
	Store Store

	// Hooks observe each decision. Default: none.
	Hooks Hooks
}

// Limiter decides whether requests are within the limits. It is safe for concurrent use. A decision
// with [Buckets] does not allocate. Beside its store, the limiter keeps a policy and a few counters
// for each tenant that has made a request.
type Limiter struct {
	limits   Limits
	public   Policy
	store    Store
	hooks    Hooks
	policies policies
	accounts table[account]
}

// New returns a limiter. An invalid configuration is a [tenancy.FieldError].
func New(cfg Config) (*Limiter, error) {
	if cfg.Limits == nil {
		return nil, errors.New("ratelimit: Config.Limits is nil")
	}
	public, err := cfg.Public.check()
	if err != nil {
		return nil, fmt.Errorf("ratelimit: public site: %w", err)
	}
	if cfg.Store == nil {
		if cfg.Store, err = NewBuckets(BucketsConfig{}); err != nil {
			return nil, err
		}
	}
	return &Limiter{limits: cfg.Limits, public: public, store: cfg.Store, hooks: cfg.Hooks}, nil
}

// Decide decides on one request and takes its cost from the buckets if it is allowed. A refused
// request takes no tokens, as far as the store can guarantee that. ctx is passed to the store and
// the hooks.
func (l *Limiter) Decide(ctx context.Context, q Query) (d Decision) {
	id := int64(0)
	if q.Tenant != nil {
		id = q.Tenant.ID
	}
	a := l.accounts.get(id)
	if a == nil {
		a = l.accounts.make(id)
	}
	a.setTenant(q.Tenant)
	if q.Cost == 0 {
		q.Cost = 1
	}
	l.decide(ctx, a, AllowRequest{Tenant: id, Caller: q.Caller, Cost: q.Cost}, q.Tenant, &d)
	a.count(&d)
	if l.hooks.Decided != nil {
		l.hooks.Decided(ctx, DecidedData{Tenant: q.Tenant, Cost: q.Cost, Decision: d})
	}
	return d
}

// decide sets d. It is passed by pointer because copying it is expensive.
func (l *Limiter) decide(ctx context.Context, a *account, k AllowRequest, t *tenancy.Tenant, d *Decision) {
	configured, err := l.public, error(nil)
	if t != nil {
		configured, err = l.limits.Policy(t)
	}
	d.applied, err = a.apply(&l.policies, &configured, err)
	d.Policy, k.Policy = d.applied.policy, d.applied.policy
	if err != nil {
		d.Err = &PolicyError{Tenant: slug(t), Err: err}
	}
	if k.Cost < 0 {
		d.Err = join(d.Err, &tenancy.FieldError{Field: "cost", Value: strconv.Itoa(k.Cost), Rule: "is negative"})
		return
	}
	taken, err := l.store.Allow(ctx, k)
	if err != nil {
		d.Err = join(d.Err, err)
		return
	}
	d.Tenant, d.Caller = taken.Tenant, taken.Caller
	if taken.Degraded != nil {
		a.degraded.Add(1)
		d.Err = join(d.Err, taken.Degraded)
	}
	d.setVerdict()
}

// join is [errors.Join], but returns a single error unchanged.
func join(a, b error) error {
	if a == nil {
		return b
	}
	return errors.Join(a, b)
}

func slug(t *tenancy.Tenant) string {
	if t == nil {
		return ""
	}
	return t.Slug
}
