package rpc

import (
	"context"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// Key is the metadata that names the tenant of a call.
const Key = "x-tenant"

// Tenants finds the tenant of a call and decides whether the call is served. Its methods are
// interceptors, safe for concurrent use if Find and Admit are.
type Tenants struct {
	// Find returns the tenant for the metadata of a call, such as ResolveSlug of a directory.
	// Required.
	Find func(ctx context.Context, key string) (tenancy.Target, error)

	// Admit returns an error for an active tenant that is not served anyway, such as Admit of
	// package quarantine. Default: nil, all active tenants are served.
	Admit func(ctx context.Context, t *tenancy.Tenant) error
}

// enter returns the context of a call, which has the tenant, and whose statements run in its
// schema. A call without the metadata is refused like one with an unknown tenant.
func (s Tenants) enter(ctx context.Context, keys []string) (context.Context, error) {
	switch len(keys) {
	case 0:
		return nil, tenancy.ErrUnknownHost
	case 1:
	default:
		return nil, tenancy.ErrDisagree
	}
	target, err := s.Find(ctx, keys[0])
	if err != nil {
		return nil, err
	}
	if target.Public() {
		return tenancy.NewPublicContext(ctx), nil //tenantvet:allow tenantswitch interceptors are where a call gets its tenant
	}
	t := target.Tenant()
	if err := tenancy.Serveable(t); err != nil {
		return nil, err
	}
	if s.Admit != nil {
		if err := s.Admit(ctx, t); err != nil {
			return nil, err
		}
	}
	return tenancy.NewContext(ctx, t), nil //tenantvet:allow tenantswitch as above: t is who the metadata stands for
}

// refusal is what a caller is told. gRPC and Connect share the numbers of the codes. retry is 0 if
// it is not known when to call again.
type refusal struct {
	code  uint32
	text  string
	retry time.Duration
}

// The codes that both protocols have.
const (
	invalidArgument  = 3
	notFound         = 5
	permissionDenied = 7
	unavailable      = 14
	unauthenticated  = 16
)

// codeOf are the codes for the statuses that [tenancy.ProblemOf] returns.
var codeOf = map[int]uint32{
	400: invalidArgument, 401: unauthenticated, 403: permissionDenied, 404: notFound, 503: unavailable,
}

func refuse(ctx context.Context, err error) refusal {
	problem, known := tenancy.ProblemOf(err)
	if !known {
		slog.ErrorContext(ctx, "cannot find the tenant of a call", slog.Any("error", err))
	}
	text := problem.Detail
	if problem.Title != "" {
		text = problem.Title + ": " + text
	}
	code, ok := codeOf[problem.Status]
	if !ok {
		code = unavailable
	}
	return refusal{code, text, problem.RetryAfter}
}
