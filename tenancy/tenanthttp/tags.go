package tenanthttp

import (
	"context"
	"iter"
	"log/slog"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Tags yields the site of ctx as names and values for an error tracker, a span or a metric: tenant,
// which is the slug, and tenant_id, or site, which is then "public"; schema; request_id. What ctx
// does not have is left out. None is secret. The names are those of [LogHandler].
func Tags(ctx context.Context) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		belongs := belongingOf(ctx)
		for _, attr := range belongs.attrs[:belongs.n] {
			if !yield(attr.Key, attr.Value.String()) {
				return
			}
		}
	}
}

// belonging is the attributes of the site of a context.
type belonging struct {
	attrs [4]slog.Attr
	n     int
}

func belongingOf(ctx context.Context) (b belonging) {
	if t, ok := tenancy.FromContext(ctx); ok {
		b.add(slog.String("tenant", t.Slug))
		b.add(slog.Int64("tenant_id", t.ID))
	} else if tenancy.IsPublic(ctx) {
		b.add(slog.String("site", "public"))
	}
	if schema, ok := schemactx.FromContext(ctx); ok {
		b.add(slog.String("schema", schema))
	}
	if id := RequestID(ctx); id != "" {
		b.add(slog.String("request_id", id))
	}
	return b
}

func (b *belonging) add(attr slog.Attr) {
	b.attrs[b.n] = attr
	b.n++
}
