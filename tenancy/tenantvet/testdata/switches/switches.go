// Package switches chooses schemas explicitly.
package switches

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func nothing(context.Context) error { return nil }

func bad(ctx context.Context, t *tenancy.Tenant) {
	_ = schemactx.WithSchema(ctx, "tenant_2", nothing) // want `schemactx.WithSchema names a schema by hand: only packages that are allowed to may switch`
	_ = schemactx.WithPublic(ctx, nothing)             // want `schemactx.WithPublic names a schema by hand`
	_ = schemactx.NewContext(ctx, "tenant_2")          // want `schemactx.NewContext names a schema by hand`
	_ = schemactx.NewPublicContext(ctx)                // want `schemactx.NewPublicContext names a schema by hand`
	_ = tenancy.NewContext(ctx, t)                     // want `tenancy.NewContext names a schema by hand`
	_ = tenancy.NewPublicContext(ctx)                  // want `tenancy.NewPublicContext names a schema by hand`
}

func handedOn(ctx context.Context) error {
	enter := schemactx.WithSchema // want `schemactx.WithSchema names a schema by hand`
	return enter(ctx, "tenant_2", nothing)
}

func allowedHere(ctx context.Context) error {
	//tenantvet:allow tenantswitch the report goes over all tenants
	if err := schemactx.WithSchema(ctx, "tenant_2", nothing); err != nil {
		return err
	}
	return schemactx.WithPublic(ctx, nothing) //tenantvet:allow tenantswitch prices are public
}

// allowedThroughout is a job.
//
//tenantvet:allow tenantswitch a job of the platform's own
func allowedThroughout(ctx context.Context) error {
	if err := schemactx.WithPublic(ctx, nothing); err != nil {
		return err
	}
	return schemactx.WithSchema(ctx, "tenant_2", nothing)
}

func anothersAllowance(ctx context.Context) error {
	//tenantvet:allow tenantsql something else
	return schemactx.WithPublic(ctx, nothing) // want `schemactx.WithPublic names a schema by hand`
}

func withoutAReason(ctx context.Context) error {
	//tenantvet:allow tenantswitch
	return schemactx.WithPublic(ctx, nothing) // want `schemactx.WithPublic names a schema by hand`
}

func tooFarAway(ctx context.Context) error {
	//tenantvet:allow tenantswitch two lines above // want `this allowance of tenantswitch allows nothing`

	return schemactx.WithPublic(ctx, nothing) // want `schemactx.WithPublic names a schema by hand`
}

func good(ctx context.Context) (string, bool) {
	if tenancy.IsPublic(ctx) {
		return "", false
	}
	return schemactx.FromContext(ctx)
}

// WithSchema has the name of a function of schemactx.
func WithSchema() {}

func namesakes() { WithSchema() }
