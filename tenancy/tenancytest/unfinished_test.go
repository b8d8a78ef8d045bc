package tenancytest_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// FailNow ends the goroutine, as that of a test does.
func (r *recorder) FailNow() {
	r.Errorf("ended")
	panic(ended{})
}

type ended struct{}

// A function under AssertIsolated may fail the test with Fatal, which ends its goroutine, and may
// panic. Neither may leave the assertion waiting, nor the other tenant's tables locked.
func TestAFunctionThatDoesNotReturnEndsTheAssertion(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	a, b := env.Tenant(t), env.Tenant(t)
	for name, fn := range map[string]func(){
		"fatal": func() { runtime.Goexit() },
		"panic": func() { panic("broken") },
	} {
		r := &recorder{TB: t}
		over := make(chan any, 1)
		go func() {
			defer func() { over <- recover() }()
			env.AssertIsolated(r, a, b, func(context.Context, *tenancytest.Tenant) error { fn(); return nil })
		}()
		select {
		case got := <-over:
			switch name {
			case "fatal":
				assert.IsType(t, ended{}, got, r.errors)
			case "panic":
				assert.Contains(t, fmt.Sprint(got), "broken", r.errors)
			}
		case <-time.After(time.Minute):
			require.Fail(t, "AssertIsolated does not return", name)
		}
		_, err := env.DB.Exec(b.Context(), "insert into animals values ('cat')")
		require.NoError(t, err)
	}
}

// Tests that assert at the same time must not take all connections of the owner's pool and wait for
// one more.
func TestConcurrentAssertionsNeedNoMoreConnections(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	n := int(env.Owner.Config().MaxConns) + 1
	tenants := make([]*tenancytest.Tenant, 2*n)
	for i := range tenants {
		tenants[i] = env.Tenant(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all, begun sync.WaitGroup
	begun.Add(n)
	for i := range n {
		a, b := tenants[2*i], tenants[2*i+1]
		var once sync.Once
		all.Go(func() {
			env.AssertIsolated(t, a, b, func(context.Context, *tenancytest.Tenant) error {
				once.Do(func() { begun.Done(); begun.Wait() }) // all of them hold their locks now
				return env.Owner.Ping(ctx)
			})
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	select {
	case <-over:
	case <-ctx.Done():
		require.Fail(t, "deadlock: the assertions wait for each other")
	}
}

// The domains of a tenant belong to the registry as well.
func TestATenantWithChangedDomainsIsNotReused(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	used := map[int64]bool{}
	for i, change := range []func(t *testing.T, tenant *tenancytest.Tenant){
		func(t *testing.T, tenant *tenancytest.Tenant) {
			_, err := env.Manager.AddDomain(t.Context(), tenant.Slug, "shop.example.com")
			require.NoError(t, err)
		},
		func(t *testing.T, tenant *tenancytest.Tenant) {
			_, err := env.Manager.ClaimDomain(t.Context(), tenant.Slug, "claimed.example.com")
			require.NoError(t, err)
		},
		func(t *testing.T, tenant *tenancytest.Tenant) {
			_, err := env.Owner.Exec(t.Context(), "update public.domains set host = 'moved.example.com' "+
				"where tenant_id = $1", tenant.ID)
			require.NoError(t, err)
		},
		func(*testing.T, *tenancytest.Tenant) {},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			tenant := env.Tenant(t)
			assert.False(t, used[tenant.ID], "tenant %d is used again with another domain", tenant.ID)
			used[tenant.ID] = true
			change(t, tenant)
		})
	}
}

// A test that has left a connection in use must not keep the database from being dropped.
func TestCloseDoesNotWaitForLeakedConnections(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	var left *pgxpool.Conn
	left, err := env.Owner.Acquire(t.Context())
	require.NoError(t, err)
	defer left.Release()
	over := make(chan error, 1)
	go func() { over <- env.Close(context.Background()) }()
	select {
	case err := <-over:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "Close does not return")
	}
}

// A test that fails in the middle of an answer without end, and so does not close it, still ends.
func TestAnEndlessResponseEndsWithTheTest(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	env.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	over := make(chan struct{})
	go func() {
		defer close(over)
		t.Run("one test", func(t *testing.T) {
			tenant := env.Tenant(t)
			_, err := tenant.Client().Get(tenant.URL("/events")) //nolint:bodyclose,noctx // that is the point
			assert.NoError(t, err)
		})
	}()
	select {
	case <-over:
	case <-time.After(time.Minute):
		require.Fail(t, "the test waits for the end of the response")
	}
}
