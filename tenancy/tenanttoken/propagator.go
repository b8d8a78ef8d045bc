package tenanttoken

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Header is the header in which [Propagator.InjectHeader] names the tenant to another service.
const Header = "Pgtenant-Tenant"

// DefaultHeaderTTL is how long the token in a header is valid.
const DefaultHeaderTTL = time.Minute

// Lookup finds a tenant by its ID; [tenancy.Registry] is one.
type Lookup interface {
	// ByID returns the tenant of that ID, whatever its status, or [tenancy.ErrNotFound].
	ByID(ctx context.Context, id int64) (tenancy.Tenant, error)
}

// PropagatorConfig says how a [Propagator] works.
type PropagatorConfig struct {
	// Signer signs and verifies the tokens. Required. Services that call each other share a key.
	Signer *Signer

	// Tenants finds the tenant when a job begins. Required for Extract and ExtractHeader.
	Tenants Lookup

	// Admit returns nil, or the reason to refuse an active tenant, such as a
	// [tenancy.QuarantineError]. Extract and ExtractHeader return that error. See Admit of
	// tenanthttp.Routes. Default: all active tenants are accepted.
	Admit func(ctx context.Context, t *tenancy.Tenant) error

	// JobTTL is how long the token of a job is valid. Default: 0, without end, because a job may wait.
	JobTTL time.Duration

	// HeaderTTL is how long the token of a header is valid. Default: [DefaultHeaderTTL].
	HeaderTTL time.Duration
}

// Propagator passes the tenant of a context to other processes: in a job's payload, or in a header
// to another service. It is safe for concurrent use.
type Propagator struct{ cfg PropagatorConfig }

// NewPropagator returns a propagator. A negative TTL is a [tenancy.FieldError].
func NewPropagator(cfg PropagatorConfig) (*Propagator, error) {
	if cfg.Signer == nil {
		return nil, errors.New("tenanttoken: PropagatorConfig.Signer is nil")
	}
	if cfg.HeaderTTL == 0 {
		cfg.HeaderTTL = DefaultHeaderTTL
	}
	for _, ttl := range []time.Duration{cfg.JobTTL, cfg.HeaderTTL} {
		if _, err := expiry(ttl); err != nil {
			return nil, err
		}
	}
	return &Propagator{cfg: cfg}, nil
}

// Inject returns a token that names the tenant of ctx, for a job's payload. The error is
// [ErrNoTenant] without a tenant, on the public site, and if the schema of ctx is not the tenant's,
// as inside [schemactx.WithSchema].
func (c *Propagator) Inject(ctx context.Context) (string, error) {
	return c.seal(ctx, PurposeJob, c.cfg.JobTTL)
}

// Extract returns a child of ctx that carries the tenant of a token by [Propagator.Inject], as
// [tenancy.NewContext] does. It looks the tenant up: the error is an [tenancy.InactiveError] if the
// tenant is not active, [tenancy.ErrNotFound] if it was dropped, or the error of Admit. An empty
// token is [ErrNoTenant]; it never means the public site. A ctx of another tenant is
// [ErrForeignTenant]. Other errors are those of [Signer.Verify] and of the lookup. With an error,
// the context is nil. ctx governs the lookup.
func (c *Propagator) Extract(ctx context.Context, token string) (context.Context, error) {
	return c.open(ctx, PurposeJob, token)
}

// InjectHeader names the tenant of ctx in [Header], for a request to another service that has the
// key. Errors are those of [Propagator.Inject], and then h has no such header. A service
// that receives the token can use it until it expires. So the request must not follow redirects to
// foreign hosts: net/http would send them the header.
func (c *Propagator) InjectHeader(ctx context.Context, h http.Header) error {
	h.Del(Header)
	token, err := c.seal(ctx, PurposeHeader, c.cfg.HeaderTTL)
	if err != nil {
		return err
	}
	h.Set(Header, token)
	return nil
}

// ExtractHeader is [Propagator.Extract] for the token of [Propagator.InjectHeader] in h. Several
// tokens are [tenancy.ErrAmbiguousTenant].
func (c *Propagator) ExtractHeader(ctx context.Context, h http.Header) (context.Context, error) {
	tokens := h.Values(Header)
	switch len(tokens) {
	case 0:
		return nil, fmt.Errorf("extract tenant: %w", ErrNoTenant)
	case 1:
		return c.open(ctx, PurposeHeader, tokens[0])
	}
	return nil, fmt.Errorf("extract tenant: %w", tenancy.ErrAmbiguousTenant)
}

func (c *Propagator) seal(ctx context.Context, purpose Purpose, ttl time.Duration) (string, error) {
	t, err := scopedTenant(ctx)
	if err != nil {
		return "", fmt.Errorf("inject tenant: %w", err)
	}
	expires, err := expiry(ttl)
	if err != nil {
		return "", err
	}
	return c.cfg.Signer.Sign(Token{Purpose: purpose, Tenant: t.ID, Expires: expires})
}

func (c *Propagator) open(ctx context.Context, purpose Purpose, token string) (context.Context, error) {
	t, err := c.tenantOf(ctx, purpose, token)
	if err != nil {
		return nil, fmt.Errorf("extract tenant: %w", err)
	}
	return tenancy.NewContext(ctx, &t), nil
}

func (c *Propagator) tenantOf(ctx context.Context, purpose Purpose, token string) (tenancy.Tenant, error) {
	if token == "" {
		return tenancy.Tenant{}, ErrNoTenant
	}
	carried, err := c.cfg.Signer.Verify(purpose, token)
	if err != nil {
		return tenancy.Tenant{}, err
	}
	if carried.Tenant == 0 {
		return tenancy.Tenant{}, ErrNoTenant
	}
	if of, ok := tenancy.FromContext(ctx); ok && of.ID != carried.Tenant {
		return tenancy.Tenant{}, ErrForeignTenant
	}
	if c.cfg.Tenants == nil {
		return tenancy.Tenant{}, errors.New("PropagatorConfig.Tenants is nil")
	}
	t, err := c.cfg.Tenants.ByID(ctx, carried.Tenant)
	switch {
	case err != nil:
		return tenancy.Tenant{}, err
	case t.ID != carried.Tenant:
		return tenancy.Tenant{}, fmt.Errorf("asked for tenant %d, the lookup returned %d", carried.Tenant, t.ID)
	case t.Status != tenancy.Active:
		return tenancy.Tenant{}, tenancy.Serveable(&t)
	}
	if c.cfg.Admit != nil {
		err = c.cfg.Admit(ctx, &t)
	}
	return t, err
}

// scopedTenant returns the tenant of ctx. The schema of ctx has to be the tenant's: inside
// [schemactx.WithSchema] the data may belong to another tenant.
func scopedTenant(ctx context.Context) (*tenancy.Tenant, error) {
	t, ok := tenancy.FromContext(ctx)
	if !ok {
		return nil, ErrNoTenant
	}
	if t.ID <= 0 {
		return nil, fmt.Errorf("%w: tenant %q has no ID", ErrNoTenant, t.Slug)
	}
	if schema, _ := schemactx.FromContext(ctx); schema != t.Schema {
		return nil, fmt.Errorf("%w: the schema in the context is %q, not tenant %q's", ErrNoTenant, schema, t.Slug)
	}
	return t, nil
}
