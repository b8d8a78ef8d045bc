package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Keys resolves a request by the keys that several sources find in it. It is a
// [tenanthttp.Resolver] for [tenanthttp.Handler], which gives it the whole request. It is safe for
// concurrent use.
type Keys struct{ sources []Source }

var (
	_ tenanthttp.Resolver        = (*Keys)(nil)
	_ tenanthttp.RequestResolver = (*Keys)(nil)
)

// NewKeys returns a resolver that asks the sources in their order. If several sources find a
// target, it must be the same one. NewKeys panics without a source.
func NewKeys(sources ...Source) *Keys {
	if len(sources) == 0 {
		panic("resolver: NewKeys without a source")
	}
	return &Keys{sources: sources}
}

// ResolveRequest returns the target of r and the request to serve: r, or a copy of r from which a
// source has removed its key. Each source gets the request that the sources before it have left.
// The first error of a source is the error. If two sources find different targets, the error is
// [tenancy.ErrAmbiguousTenant]; if none finds a target, it is [tenancy.ErrUnknownHost].
func (k *Keys) ResolveRequest(r *http.Request) (tenanthttp.Target, *http.Request, error) {
	var named, fallback tenanthttp.Target
	for _, source := range k.sources {
		found, ok, err := source.Find(r)
		switch {
		case err != nil:
			return tenanthttp.Target{}, r, err
		case !ok:
			continue
		case found.Target == (tenanthttp.Target{}):
			return tenanthttp.Target{}, r, errors.New("resolver: a source found a key but returned no target")
		}
		into := &named
		if found.Fallback {
			into = &fallback
		}
		if *into != (tenanthttp.Target{}) && !same(*into, found.Target) {
			return tenanthttp.Target{}, r, tenancy.ErrAmbiguousTenant
		}
		if *into = found.Target; found.Request != nil {
			r = found.Request
		}
	}
	switch {
	case named != (tenanthttp.Target{}):
		return named, r, nil
	case fallback != (tenanthttp.Target{}):
		return fallback, r, nil
	}
	return tenanthttp.Target{}, r, tenancy.ErrUnknownHost
}

// Resolve returns an error for every host. A host alone does not contain the other keys of a
// request, so the answer could be wrong.
func (k *Keys) Resolve(_ context.Context, host string) (tenanthttp.Target, error) {
	return tenanthttp.Target{}, fmt.Errorf("resolve host %q: Keys needs the whole request: call ResolveRequest", host)
}

// same reports whether two targets are equal. Tenants are compared by id: a tenant may be loaded
// again between two lookups.
func same(a, b tenanthttp.Target) bool {
	if a.Tenant() == nil || b.Tenant() == nil {
		return a == b
	}
	return a.Tenant().ID == b.Tenant().ID
}
