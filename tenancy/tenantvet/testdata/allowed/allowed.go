// Package allowed is a package that the flag -tenantswitch.allow names.
package allowed

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
)

// Job may choose a schema.
func Job(ctx context.Context) error {
	return schemactx.WithSchema(ctx, "tenant_2", func(context.Context) error { return nil })
}
