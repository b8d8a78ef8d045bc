package tenancytest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// Tenant is a tenant that one test uses until it ends.
type Tenant struct {
	tenancy.Tenant

	// Host is its primary domain.
	Host string

	env *Environment
	tb  testing.TB
}

// Context returns the context of the test with the tenant, so that statements run in its schema.
func (t *Tenant) Context() context.Context { return tenancy.NewContext(t.tb.Context(), &t.Tenant) }

// Tenant returns an active tenant with only the rows of its migrations and seed, for exclusive use
// by the test. It is returned when tb ends. A failure ends the test.
func (e *Environment) Tenant(tb testing.TB) *Tenant {
	tb.Helper()
	t, found := e.take()
	if !found {
		return e.Fresh(tb)
	}
	return e.assign(tb, t)
}

// Fresh is like Tenant, but returns a tenant that no test has used.
func (e *Environment) Fresh(tb testing.TB) *Tenant {
	tb.Helper()
	if err := e.ensurePristine(tb.Context()); err != nil {
		tb.Fatalf("tenancytest: %v", err)
	}
	t, err := e.create(tb.Context())
	if err != nil {
		tb.Fatalf("tenancytest: %v", err)
	}
	return e.assign(tb, t)
}

func (e *Environment) take() (t tenancy.Tenant, found bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.free) == 0 {
		return t, false
	}
	last := len(e.free) - 1
	t, e.free = e.free[last], e.free[:last]
	return t, true
}

func (e *Environment) create(ctx context.Context) (tenancy.Tenant, error) {
	slug := "test-" + strings.ToLower(rand.Text()[:12])
	return e.Manager.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: e.host(slug)})
}

func (e *Environment) host(slug string) string { return slug + "." + cmp.Or(e.Domain, "tenants.test") }

// assign assigns t to a test until it ends.
func (e *Environment) assign(tb testing.TB, t tenancy.Tenant) *Tenant {
	tb.Helper()
	host := e.host(t.Slug)
	if err := e.await(tb.Context(), host, t.ID); err != nil {
		tb.Fatalf("tenancytest: %v", err)
	}
	tb.Cleanup(func() { e.reclaim(tb, t) })
	return &Tenant{Tenant: t, Host: host, env: e, tb: tb}
}

// resetTimeout bounds the reset after a test.
const resetTimeout = time.Minute

// reclaim resets the tenant and keeps it for the next test, unless the registry entry changed.
func (e *Environment) reclaim(tb testing.TB, was tenancy.Tenant) {
	ctx, cancel := context.WithTimeout(context.Background(), resetTimeout)
	defer cancel()
	now, err := e.Manager.ByID(ctx, was.ID)
	if err != nil || now.Version != was.Version {
		return // the test dropped or changed it
	}
	domains, err := e.Manager.Domains(ctx, was.ID) // a change of them does not change the tenant's version
	if err != nil || len(domains) != 1 || domains[0].Host != e.host(was.Slug) {
		return
	}
	switch err := e.reset(ctx, now.Schema); {
	case errors.Is(err, errInUse):
		tb.Errorf("tenancytest: a transaction of the ended test still uses the tables of its tenant: %v", err)
	case err != nil:
		tb.Logf("tenancytest: tenant %s is not used again: %v", now.Slug, err)
	default:
		e.mu.Lock()
		defer e.mu.Unlock()
		e.free = append(e.free, now)
	}
}

// awaitTimeout bounds the wait for a resolver to learn of a tenant.
const awaitTimeout = 10 * time.Second

// await waits until the program under test knows the tenant.
func (e *Environment) await(ctx context.Context, host string, id int64) error {
	if e.Resolver == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond) // resolvers have no signal for it
	defer tick.Stop()
	for {
		target, err := e.Resolver.Resolve(ctx, host)
		if err == nil && target.Tenant() != nil && target.Tenant().ID == id && target.Tenant().Status == tenancy.Active {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("resolver does not find %s: %w", host, errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}
