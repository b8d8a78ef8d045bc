package tenanthttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Serveable decides as the Handler does, for servers that do not use net/http.
func TestServeableIsWhatTheHandlerServes(t *testing.T) {
	t.Parallel()
	kept := &tenancy.QuarantineError{Slug: "kept", Reason: "behind", RetryAfter: 5 * time.Second}
	admit := func(_ context.Context, t *tenancy.Tenant) error {
		if t.Slug == "kept" {
			return kept
		}
		return nil
	}
	tenants := map[string]*tenancy.Tenant{"kept": {Slug: "kept", Schema: "tenant_1", Status: tenancy.Active}}
	for _, status := range []tenancy.Status{
		tenancy.Active, tenancy.Suspended, tenancy.Maintenance, tenancy.Provisioning, tenancy.Dropping, "of a newer version",
	} {
		tenants[string(status)] = &tenancy.Tenant{Slug: "a", Schema: "tenant_2", Status: status, Reason: "why"}
	}
	for name, tenant := range tenants {
		var refusal tenanthttp.Refusal
		h := tenanthttp.Handler(tenanthttp.ResolverFunc(func(context.Context, string) (tenanthttp.Target, error) {
			return tenanthttp.TenantTarget(tenant), nil
		}), tenanthttp.Routes{
			Tenant: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Admit: admit,
			Refuse: func(_ http.ResponseWriter, _ *http.Request, r tenanthttp.Refusal) { refusal = r },
		})
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		err := tenancy.Serveable(tenant)
		if err == nil {
			err = admit(t.Context(), tenant)
		}
		assert.Equal(t, refusal.Err, err, name)
		if err != nil {
			problem, known := tenanthttp.ProblemOf(err)
			assert.True(t, known, name)
			assert.Equal(t, refusal.Problem, problem, name)
		}
	}
	require.NoError(t, tenancy.Serveable(tenants["kept"]))
	require.ErrorIs(t, tenancy.Serveable(nil), tenancy.ErrUnknownHost)
	_, known := tenanthttp.ProblemOf(errors.New("the database is away"))
	assert.False(t, known)
}
