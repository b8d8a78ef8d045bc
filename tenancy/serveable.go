package tenancy

// Serveable returns nil if the tenant's status allows requests, else an [InactiveError]. For a nil tenant it returns
// [ErrUnknownHost]. The handler of package tenanthttp refuses requests with the same error. A program that does not
// serve with net/http calls it, then its Admit, and then puts the tenant into the context:
//
//	err := tenancy.Serveable(t)
//	if err == nil {
//		err = quarantine.Admit(ctx, t)
//	}
//	if err != nil {
//		return nil, refusal(err) // with what tenanthttp.ProblemOf returns
//	}
//	return handler(tenancy.NewContext(ctx, t), req)
func Serveable(t *Tenant) error {
	switch {
	case t == nil:
		return ErrUnknownHost
	case t.Status != Active:
		return &InactiveError{Slug: t.Slug, Status: t.Status, Reason: t.Reason, Until: t.Until}
	}
	return nil
}
