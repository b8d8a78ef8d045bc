// Package switches chooses schemas explicitly.
package switches

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func nothing(context.Context) error { return nil }

func bad(ctx context.Context, t *tenancy.Tenant) {
	// want +1 `schemactx.WithSchema selects a schema by name: only packages in -allow may do that`
	_ = schemactx.WithSchema(ctx, "tenant_2", nothing)
	_ = schemactx.WithPublic(ctx, nothing)    // want `schemactx.WithPublic selects a schema by name`
	_ = schemactx.NewContext(ctx, "tenant_2") // want `schemactx.NewContext selects a schema by name`
	_ = schemactx.NewPublicContext(ctx)       // want `schemactx.NewPublicContext selects a schema by name`
	_ = tenancy.NewContext(ctx, t)            // want `tenancy.NewContext selects a schema by name`
	_ = tenancy.NewPublicContext(ctx)         // want `tenancy.NewPublicContext selects a schema by name`
}

func handedOn(ctx context.Context) error {
	enter := schemactx.WithSchema // want `schemactx.WithSchema selects a schema by name`
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
	return schemactx.WithPublic(ctx, nothing) // want `schemactx.WithPublic selects a schema by name`
}

func withoutAReason(ctx context.Context) error {
	//tenantvet:allow tenantswitch
	return schemactx.WithPublic(ctx, nothing) // want `schemactx.WithPublic selects a schema by name`
}

func tooFarAway(ctx context.Context) error {
	// want +1 `this allowance of tenantswitch allows nothing`
	//tenantvet:allow tenantswitch two lines above

	return schemactx.WithPublic(ctx, nothing) // want `schemactx.WithPublic selects a schema by name`
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
