package tenanttoken_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func (f *fixture) propagator(t *testing.T, cfg tenanttoken.PropagatorConfig) *tenanttoken.Propagator {
	t.Helper()
	cfg.Signer, cfg.Tenants = signer(t), f.registry
	c, err := tenanttoken.NewPropagator(cfg)
	require.NoError(t, err)
	return c
}

func TestAJobRunsWithItsTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	c := f.propagator(t, tenanttoken.PropagatorConfig{})
	for _, tenant := range []tenancy.Tenant{a, b} {
		token, err := c.Inject(tenancy.NewContext(t.Context(), &tenant))
		require.NoError(t, err)
		ctx, err := c.Extract(t.Context(), token)
		require.NoError(t, err)
		_, err = f.db.Exec(ctx, "insert into notes values ($1)", "of "+tenant.Slug)
		require.NoError(t, err)
		got, ok := tenancy.FromContext(ctx)
		if assert.True(t, ok, "extracted %+v", got) && assert.Equal(t, tenant.ID, got.ID, "extracted %+v", got) {
			assert.Equal(t, tenant.Schema, got.Schema, "extracted %+v", got)
		}
	}
	for _, tenant := range []tenancy.Tenant{a, b} {
		var all string
		require.NoError(
			t,
			f.pg.Pool.QueryRow(t.Context(), "select string_agg(body, ',') from "+tenant.Schema+".notes").Scan(&all),
		)
		assert.Equal(t, "of "+tenant.Slug, all, "%s has", tenant.Slug)
	}
}

func TestAJobWithoutATenantFails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	c := f.propagator(t, tenanttoken.PropagatorConfig{})
	ofA := tenancy.NewContext(t.Context(), &a)
	for name, ctx := range map[string]context.Context{
		"none":              t.Context(),
		"public site":       tenancy.NewPublicContext(t.Context()),
		"public schema":     schemactx.NewPublicContext(t.Context()),
		"schema alone":      schemactx.NewContext(t.Context(), a.Schema),
		"other schema":      schemactx.NewContext(ofA, "tenant_999"),
		"public from a":     schemactx.NewPublicContext(ofA),
		"tenant without ID": tenancy.NewContext(t.Context(), &tenancy.Tenant{Schema: a.Schema}),
	} {
		token, err := c.Inject(ctx)
		assert.ErrorIs(t, err, tenanttoken.ErrNoTenant, "inject, %s: %q", name, token)
		assert.Empty(t, token, "inject, %s: %q", name, token)
		h := http.Header{tenanttoken.Header: {"of somebody else"}}
		err = c.InjectHeader(ctx, h)
		assert.ErrorIs(t, err, tenanttoken.ErrNoTenant, "header, %s: %v", name, h)
		assert.Empty(t, h, "header, %s: %v", name, h)
	}
	public, err := signer(t).Sign(tenanttoken.Token{Purpose: tenanttoken.PurposeJob})
	require.NoError(t, err)
	for _, token := range []string{"", public} {
		for _, ctx := range []context.Context{t.Context(), tenancy.NewPublicContext(t.Context()), ofA} {
			job, err := c.Extract(ctx, token)
			assert.ErrorIs(t, err, tenanttoken.ErrNoTenant, "extract %q: %v", token, job)
			assert.True(t, job == nil, "extract %q: %v, %v", token, job, err)
		}
	}
}

func TestExtractRefusesTenantsThatAreNotActive(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	c := f.propagator(t, tenanttoken.PropagatorConfig{})
	token, err := c.Inject(tenancy.NewContext(t.Context(), &a))
	require.NoError(t, err)
	for _, status := range []tenancy.Status{
		tenancy.Suspended, tenancy.Maintenance, tenancy.Provisioning, tenancy.Dropping,
	} {
		_, err := f.pg.Pool.Exec(
			t.Context(),
			"update public.tenants set status = $2, reason = 'late fees' where id = $1",
			a.ID,
			status,
		)
		require.NoError(t, err)
		job, err := c.Extract(t.Context(), token)
		var inactive *tenancy.InactiveError
		if assert.ErrorAs(t, err, &inactive, "%s: %v", status, job) &&
			assert.Equal(t, status, inactive.Status, job) &&
			assert.Equal(t, "a", inactive.Slug, job) &&
			assert.Equal(t, "late fees", inactive.Reason, job) {
			assert.True(t, job == nil, "%s: %v, %v", status, job, err)
		}
	}
	gone, err := signer(t).Sign(tenanttoken.Token{Purpose: tenanttoken.PurposeJob, Tenant: 999})
	require.NoError(t, err)
	_, err = c.Extract(t.Context(), gone)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Extract(ended, token)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestExtractRefusesForeignTokens(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	ctx := tenancy.NewContext(t.Context(), &a)
	c := f.propagator(t, tenanttoken.PropagatorConfig{})
	job, err := c.Inject(ctx)
	require.NoError(t, err)
	h := http.Header{}
	require.NoError(t, c.InjectHeader(ctx, h))
	session, err := signer(t).BindSession(ctx, "s", 0)
	require.NoError(t, err)
	expired, err := signer(
		t,
	).Sign(tenanttoken.Token{Purpose: tenanttoken.PurposeJob, Tenant: a.ID, Expires: time.Now().Add(-time.Second)})
	require.NoError(t, err)
	otherKey, err := signer(t, key('x')).Sign(tenanttoken.Token{Purpose: tenanttoken.PurposeJob, Tenant: a.ID})
	require.NoError(t, err)
	for name, refused := range map[string]struct {
		token string
		want  error
	}{
		"session":      {session, tenanttoken.ErrBadToken},
		"header":       {h.Get(tenanttoken.Header), tenanttoken.ErrBadToken},
		"another key":  {otherKey, tenanttoken.ErrBadToken},
		"not a token":  {"tenant_1", tenanttoken.ErrBadToken},
		"expired":      {expired, tenanttoken.ErrTokenExpired},
		"no signature": {strings.TrimRight(job[:30], "="), tenanttoken.ErrBadToken},
	} {
		ctx, err := c.Extract(t.Context(), refused.token)
		assert.ErrorIs(t, err, refused.want, name)
		assert.True(t, ctx == nil, "%s: %v, want %v", name, err, refused.want)
	}
	_, err = c.Extract(tenancy.NewContext(t.Context(), &b), job)
	assert.ErrorIs(t, err, tenanttoken.ErrForeignTenant)
	_, err = c.Extract(ctx, job) // the tenant of the job itself
	require.NoError(t, err)
}

func TestTokensInHeadersExpire(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	c := f.propagator(t, tenanttoken.PropagatorConfig{})
	h := http.Header{tenanttoken.Header: {"old", "older"}}
	require.NoError(t, c.InjectHeader(tenancy.NewContext(t.Context(), &a), h))
	ctx, err := c.ExtractHeader(t.Context(), h)
	require.NoError(t, err)
	got, ok := tenancy.FromContext(ctx)
	if assert.True(t, ok, "extracted %+v", got) {
		assert.Equal(t, a.ID, got.ID, "extracted %+v", got)
	}
	sealed, err := signer(t).Verify(tenanttoken.PurposeHeader, h.Get(tenanttoken.Header))
	require.NoError(t, err)
	left := time.Until(sealed.Expires)
	assert.Positive(t, left, "good for %v", left)
	assert.LessOrEqual(t, left, tenanttoken.DefaultHeaderTTL, "good for %v", left)
	_, err = c.ExtractHeader(t.Context(), http.Header{})
	assert.ErrorIs(t, err, tenanttoken.ErrNoTenant)
	h.Add(tenanttoken.Header, h.Get(tenanttoken.Header))
	_, err = c.ExtractHeader(t.Context(), h)
	assert.ErrorIs(t, err, tenancy.ErrAmbiguousTenant)
}

func TestNewPropagatorRefuses(t *testing.T) {
	t.Parallel()
	_, err := tenanttoken.NewPropagator(tenanttoken.PropagatorConfig{})
	assert.Error(t, err, "no signer")
	for _, cfg := range []tenanttoken.PropagatorConfig{{JobTTL: -1}, {HeaderTTL: -1}} {
		cfg.Signer = signer(t)
		var field *tenancy.FieldError
		_, err := tenanttoken.NewPropagator(cfg)
		assert.ErrorAs(t, err, &field, cfg)
	}
}

// lookupFunc adapts a function to the lookup of tenants.
type lookupFunc func(id int64) (tenancy.Tenant, error)

func (f lookupFunc) ByID(_ context.Context, id int64) (tenancy.Tenant, error) { return f(id) }

func TestExtractChecksTheResultOfItsLookup(t *testing.T) {
	t.Parallel()
	token, err := signer(t).Sign(tenanttoken.Token{Purpose: tenanttoken.PurposeJob, Tenant: 1})
	require.NoError(t, err)
	for name, lookup := range map[string]tenanttoken.Lookup{
		"none":           nil,
		"another tenant": lookupFunc(func(int64) (tenancy.Tenant, error) { return *active(2, "b"), nil }),
		"nothing":        lookupFunc(func(int64) (tenancy.Tenant, error) { return tenancy.Tenant{}, nil }),
	} {
		c, err := tenanttoken.NewPropagator(tenanttoken.PropagatorConfig{Signer: signer(t), Tenants: lookup})
		require.NoError(t, err)
		ctx, err := c.Extract(t.Context(), token)
		assert.Error(t, err, "%s: %v, %v", name, ctx, err)
		assert.True(t, ctx == nil, "%s: %v, %v", name, ctx, err)
	}
}

func TestAJobOfATenantThatIsNotAdmittedDoesNotRun(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	var refused error
	c := f.propagator(t, tenanttoken.PropagatorConfig{Admit: func(_ context.Context, tenant *tenancy.Tenant) error {
		assert.Equal(t, a.ID, tenant.ID, "asked for %+v", tenant)
		return refused
	}})
	token, err := c.Inject(tenancy.NewContext(t.Context(), &a))
	require.NoError(t, err)
	h := http.Header{}
	require.NoError(t, c.InjectHeader(tenancy.NewContext(t.Context(), &a), h))
	refused = &tenancy.QuarantineError{Slug: "a", Schema: a.Schema, Reason: "behind"}
	for name, extract := range map[string]func() (context.Context, error){
		"job":    func() (context.Context, error) { return c.Extract(t.Context(), token) },
		"header": func() (context.Context, error) { return c.ExtractHeader(t.Context(), h) },
	} {
		ctx, err := extract()
		assert.ErrorIs(t, err, refused, "%s: %v", name, ctx)
		assert.True(t, ctx == nil, "%s: %v, %v", name, ctx, err)
	}
	refused = nil
	_, err = c.Extract(t.Context(), token)
	require.NoError(t, err)
}
