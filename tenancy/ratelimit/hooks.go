package ratelimit

import (
	"context"

	"github.com/oryne/pgtenant/tenancy"
)

// Hooks are told what a [Limiter] does, such as for metrics. Nil ones are left out. They are called
// by the request's goroutine, of many at once, and must be fast.
type Hooks struct {
	// Decided is called after each decision. ctx is the request's.
	Decided func(ctx context.Context, data DecidedData)
}

// DecidedData is what [Hooks].Decided gets. The caller is not part of it, as it may be a secret.
type DecidedData struct {
	Tenant   *tenancy.Tenant // nil: the public site; must not be changed
	Cost     int             // as it was counted
	Decision Decision
}
