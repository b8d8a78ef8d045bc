// Package allowed is named to the tool.
package allowed

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
)

// Job may switch.
func Job(ctx context.Context) error {
	return schemactx.WithSchema(ctx, "tenant_2", func(context.Context) error { return nil })
}
