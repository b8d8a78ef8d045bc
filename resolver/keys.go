package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Keys resolves requests by what several sources find in them. It is a [tenanthttp.Resolver] for [tenanthttp.Handler], which
// asks it for the whole request, and safe for concurrent use.
type Keys struct{ sources []Source }

var (
	_ tenanthttp.Resolver        = (*Keys)(nil)
	_ tenanthttp.RequestResolver = (*Keys)(nil)
)

// NewKeys returns a resolver for requests that any of the sources may name the target of. Those that speak must all name
// the same one. It panics without a source, as a program that has none is wrong.
func NewKeys(sources ...Source) *Keys {
	if len(sources) == 0 {
		panic("resolver: NewKeys without a source")
	}
	return &Keys{sources: sources}
}

// ResolveRequest returns what r names and the request to serve: r, or a copy without what a source has taken off. Sources
// are asked in their order, each for the request that those before it have left. The first error of one is the error; two
// that name different targets are [tenancy.ErrDisagree]. None that speaks is [tenancy.ErrUnknownHost].
func (k *Keys) ResolveRequest(r *http.Request) (tenanthttp.Target, *http.Request, error) {
	var named, otherwise tenanthttp.Target
	for _, source := range k.sources {
		found, ok, err := source.Find(r)
		switch {
		case err != nil:
			return tenanthttp.Target{}, r, err
		case !ok:
			continue
		case found.Target == (tenanthttp.Target{}):
			return tenanthttp.Target{}, r, errors.New("resolver: a source named no target")
		}
		into := &named
		if found.Yields {
			into = &otherwise
		}
		if *into != (tenanthttp.Target{}) && !same(*into, found.Target) {
			return tenanthttp.Target{}, r, tenancy.ErrDisagree
		}
		if *into = found.Target; found.Request != nil {
			r = found.Request
		}
	}
	switch {
	case named != (tenanthttp.Target{}):
		return named, r, nil
	case otherwise != (tenanthttp.Target{}):
		return otherwise, r, nil
	}
	return tenanthttp.Target{}, r, tenancy.ErrUnknownHost
}

// Resolve refuses every host, as a host says nothing of the request's other keys: whoever asks for hosts alone must not
// be told half of the answer.
func (k *Keys) Resolve(_ context.Context, host string) (tenanthttp.Target, error) {
	return tenanthttp.Target{}, fmt.Errorf("resolve host %q: it takes the whole request", host)
}

// same reports whether two targets are one. A tenant may have been read again between two lookups.
func same(a, b tenanthttp.Target) bool {
	if a.Tenant() == nil || b.Tenant() == nil {
		return a == b
	}
	return a.Tenant().ID == b.Tenant().ID
}
