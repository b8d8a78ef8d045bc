package tenanthttp

import (
	"context"
	"log/slog"
	"slices"
)

// LogHandler returns a handler that adds attributes of the context to every record and passes it to
// next. The context is that of Logger.InfoContext and the like. The attributes are tenant (the
// slug) and tenant_id, or site=public on the public site; schema, in which statements run; and
// request_id, see [RequestID]. An attribute that the context does not have is left out.
//
// The attributes stay at the top level, also after WithGroup, so that one query finds all records
// of a tenant.
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{next: next, top: next} }

// logHandler keeps the groups and their attributes itself, because a handler of slog cannot leave a
// group again.
type logHandler struct {
	next   slog.Handler // with all groups and attributes
	top    slog.Handler // with the attributes that were added before the first group
	groups []logGroup   // outermost first
}

// logGroup is a group and the attributes that were added in it.
type logGroup struct {
	name  string
	attrs []slog.Attr
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	site := siteAttrsOf(ctx)
	switch {
	case site.n == 0:
		return h.next.Handle(ctx, r)
	case len(h.groups) == 0:
		r = r.Clone() // its attributes may be shared
		r.AddAttrs(site.attrs[:site.n]...)
		return h.next.Handle(ctx, r)
	}
	grouped := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	grouped.AddAttrs(site.attrs[:site.n]...)
	grouped.AddAttrs(h.grouped(r))
	return h.top.Handle(ctx, grouped)
}

// grouped returns the attributes of r inside the handler's groups.
func (h *logHandler) grouped(r slog.Record) slog.Attr {
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	var group slog.Attr
	for i, g := range slices.Backward(h.groups) {
		group = slog.Attr{Key: g.name, Value: slog.GroupValue(slices.Concat(g.attrs, attrs)...)}
		if i > 0 {
			attrs = []slog.Attr{group}
		}
	}
	return group
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	with := &logHandler{next: h.next.WithAttrs(attrs), top: h.top}
	if len(h.groups) == 0 {
		with.top = with.next
		return with
	}
	with.groups = slices.Clone(h.groups)
	last := &with.groups[len(with.groups)-1]
	last.attrs = slices.Concat(last.attrs, attrs)
	return with
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{
		next:   h.next.WithGroup(name),
		top:    h.top,
		groups: append(slices.Clip(h.groups), logGroup{name: name}),
	}
}
