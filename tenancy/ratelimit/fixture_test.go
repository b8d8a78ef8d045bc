package ratelimit_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// tenants returns n tenants without a registry, with ids from 1.
func tenants(n int) []*tenancy.Tenant {
	all := make([]*tenancy.Tenant, n)
	for i := range all {
		id := int64(i + 1)
		name := "t" + strconv.FormatInt(id, 10)
		all[i] = &tenancy.Tenant{
			ID:     id,
			Slug:   name,
			Schema: "tenant_" + strconv.FormatInt(id, 10),
			Status: tenancy.Active,
			Plan:   "free",
		}
	}
	return all
}

func tenant(id int64) *tenancy.Tenant { return tenants(int(id))[id-1] }

// always returns the same policy for every tenant.
func always(p ratelimit.Policy) ratelimit.Limits {
	return ratelimit.LimitsFunc(func(*tenancy.Tenant) (ratelimit.Policy, error) { return p, nil })
}

// limiter returns a limiter with buckets in the process.
func limiter(t testing.TB, p ratelimit.Policy) *ratelimit.Limiter {
	t.Helper()
	return newLimiter(t, ratelimit.Config{Limits: always(p)})
}

func newLimiter(t testing.TB, cfg ratelimit.Config) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(cfg)
	require.NoError(t, err)
	return l
}

func plans(t testing.TB, cfg ratelimit.PlansConfig) *ratelimit.Plans {
	t.Helper()
	p, err := ratelimit.NewPlans(cfg)
	require.NoError(t, err)
	return p
}

// allowed asks for n decisions and returns the number of those that allow.
func allowed(l *ratelimit.Limiter, q ratelimit.Query, n int) (yes int) {
	for range n {
		if l.Decide(context.Background(), q).Verdict == ratelimit.Allowed {
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
