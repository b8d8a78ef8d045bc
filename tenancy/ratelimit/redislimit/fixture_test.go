package redislimit_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/ratelimit/redislimit"
)

// patient is a configuration for tests of Redis's decisions: no decision may time out on a slow
// machine.
var patient = redislimit.Config{Timeout: 20 * time.Second}

func newStore(t testing.TB, s *server, cfg redislimit.Config) *redislimit.Store {
	t.Helper()
	store, err := redislimit.New(s.client(t, &redis.Options{}), cfg)
	require.NoError(t, err)
	return store
}

// newLimiter returns the limiter of one process with the store.
func newLimiter(t testing.TB, store ratelimit.Store, limits ratelimit.LimitsFunc) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(ratelimit.Config{Limits: limits, Store: store})
	require.NoError(t, err)
	return l
}

func always(p ratelimit.Policy) ratelimit.LimitsFunc {
	return func(*tenancy.Tenant) (ratelimit.Policy, error) { return p, nil }
}

func tenant(id int64) *tenancy.Tenant {
	return &tenancy.Tenant{ID: id, Slug: "t" + strconv.FormatInt(id, 10), Status: tenancy.Active}
}

// allowed asks for n decisions and returns the number of those that allow.
func allowed(t testing.TB, l *ratelimit.Limiter, q ratelimit.Query, n int) (yes int) {
	t.Helper()
	for range n {
		d := l.Decide(context.Background(), q)
		require.NoError(t, d.Err)
		if d.Verdict == ratelimit.Allowed {
			yes++
		}
	}
	return yes
}

func expectField(t testing.TB, err error, field string) {
	t.Helper()
	var fieldErr *tenancy.FieldError
	if assert.ErrorAs(t, err, &fieldErr, field) {
		assert.Equal(t, field, fieldErr.Field)
	}
}
