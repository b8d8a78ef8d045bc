package ratelimit

import (
	"context"

	"github.com/oryne/pgtenant/tenancy"
)

// Hooks observe a [Limiter], for example for metrics. Nil hooks are skipped. They run on the
// goroutine of the request and are called concurrently, so they must be fast.
type Hooks struct {
	// Decided is called after each decision. ctx is the context of the request.
	Decided func(ctx context.Context, data DecidedData)
}

// DecidedData is the argument of [Hooks].Decided. It does not contain the caller, which may be a
// secret.
type DecidedData struct {
	Tenant   *tenancy.Tenant // nil: the public site; must not be changed
	Cost     int             // the cost that was counted
	Decision Decision
}
