package tenancy

// Serveable returns nil if the tenant's status allows serving it, else the [InactiveError] with
// which [Handler] refuses its requests. For a nil tenant it returns [ErrUnknownHost]. It is for
// programs that do not serve with net/http: an interceptor of gRPC calls it, then the program's
// Admit (see [Routes]), and then puts the tenant into the context:
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

// ProblemOf returns what [Handler] would tell a client about an error of [Serveable], an Admit, a
// [Resolver] or this package, and whether it knows the error. For an unknown error the problem has
// status 503 and says that the host cannot be resolved; the program should log the error.
func ProblemOf(err error) (p Problem, known bool) { return problemOf(err) }
