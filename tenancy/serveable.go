package tenancy

// Serveable returns nil if the status of the tenant lets it be served, else the [InactiveError] that [Handler] refuses its
// requests with. A nil tenant is [ErrUnknownHost]. Programs call it that do not serve by net/http, such as in an interceptor
// of gRPC, then their Admit (see [Routes]), and then put the tenant into the context:
//
//	err := tenancy.Serveable(t)
//	if err == nil {
//		err = quarantine.Admit(ctx, t)
//	}
//	if err != nil {
//		return nil, refusal(err) // with what ProblemOf returns
//	}
//	return handler(tenancy.NewContext(ctx, t), req)
func Serveable(t *Tenant) error {
	switch {
	case t == nil:
		return ErrUnknownHost
	case t.Status != Active:
		return inactive(t)
	}
	return nil
}

// ProblemOf returns what a client is told about an error of [Serveable], an Admit, a [Resolver] or this package, as [Handler]
// tells it, and whether the error is one that it knows. Else the problem is that the host cannot be resolved, with 503,
// and the program logs the error.
func ProblemOf(err error) (p Problem, known bool) { return problemOf(err) }
