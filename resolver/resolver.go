package resolver

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// Registry is where a [Resolver] looks hosts up; [tenancy.Registry] is one.
type Registry interface {
	// ByHost returns the tenant that has the normalised host as a domain, or
	// [tenancy.ErrNotFound].
	ByHost(ctx context.Context, host string) (tenancy.Tenant, error)
}

// Config says which hosts are the platform's own.
type Config struct {
	// PublicHosts stand for the public site. They are normalised, and none of them may be a
	// tenant's domain: the public site wins. Default: none, so that every host is a
	// tenant's or unknown.
	PublicHosts []string
}

// Resolver resolves hosts from the registry. It is safe for concurrent use.
type Resolver struct {
	registry Registry
	public   map[string]bool
}

var _ tenancy.Resolver = (*Resolver)(nil)

// New returns a resolver on registry. A public host that is not a host is a
// [tenancy.FieldError].
func New(registry Registry, cfg Config) (*Resolver, error) {
	if registry == nil {
		return nil, errors.New("resolver: registry is nil")
	}
	public := make(map[string]bool, len(cfg.PublicHosts))
	for _, host := range cfg.PublicHosts {
		name, err := tenancy.NormalizeHost(host)
		if err != nil {
			return nil, fmt.Errorf("resolver: public host: %w", err)
		}
		public[name] = true
	}
	return &Resolver{registry: registry, public: public}, nil
}

// Resolve returns the public site or the tenant that host stands for. What cannot be a host
// is [tenancy.ErrInvalidHost], an unregistered one [tenancy.ErrUnknownHost]; any other
// error is the registry's. ctx governs the query.
func (r *Resolver) Resolve(ctx context.Context, host string) (tenancy.Target, error) {
	name, err := tenancy.NormalizeHost(host)
	if err != nil {
		return tenancy.Target{}, err
	}
	if r.public[name] {
		return tenancy.PublicTarget(), nil
	}
	t, err := r.registry.ByHost(ctx, name)
	if errors.Is(err, tenancy.ErrNotFound) {
		return tenancy.Target{}, fmt.Errorf("%w: %q", tenancy.ErrUnknownHost, name)
	}
	if err != nil {
		return tenancy.Target{}, fmt.Errorf("resolve host %q: %w", name, err)
	}
	return tenancy.TenantTarget(&t), nil
}
