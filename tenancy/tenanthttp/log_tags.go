package tenanthttp

import (
	"context"
	"iter"
	"log/slog"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Tags yields the site of ctx as names and values for an error tracker, a span or a metric: tenant
// (the slug) and tenant_id, or site ("public"); schema; request_id. A tag that ctx does not have is
// left out. No tag is secret. The names are those of [LogHandler].
func Tags(ctx context.Context) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		site := siteAttrsOf(ctx)
		for _, attr := range site.attrs[:site.n] {
			if !yield(attr.Key, attr.Value.String()) {
				return
			}
		}
	}
}

// siteAttrs are the attributes of the site of a context. The array avoids an allocation.
type siteAttrs struct {
	attrs [4]slog.Attr
	n     int
}

func siteAttrsOf(ctx context.Context) (s siteAttrs) {
	if t, ok := tenancy.FromContext(ctx); ok {
		s.add(slog.String("tenant", t.Slug))
		s.add(slog.Int64("tenant_id", t.ID))
	} else if tenancy.IsPublic(ctx) {
		s.add(slog.String("site", "public"))
	}
	if schema, ok := schemactx.FromContext(ctx); ok {
		s.add(slog.String("schema", schema))
	}
	if id := RequestID(ctx); id != "" {
		s.add(slog.String("request_id", id))
	}
	return s
}

func (s *siteAttrs) add(attr slog.Attr) {
	s.attrs[s.n] = attr
	s.n++
}
