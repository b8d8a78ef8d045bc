package tenanthttp

import (
	"context"
	"log/slog"
	"slices"
)

// LogHandler returns a handler that adds attributes to every record and passes it to next. They are
// from the context that the record was logged with (Logger.InfoContext and the like): tenant, which
// is the slug, and tenant_id, or site=public on the public site; schema, in which statements run;
// request_id, see [RequestID]. What the context does not have is not added.
//
// The attributes stay at the top level, also below WithGroup, so that one query finds all records
// of a tenant.
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{next: next, top: next} }

// logHandler keeps the attributes since the first group apart, because a handler cannot leave a
// group again.
type logHandler struct {
	next  slog.Handler // with all groups and attributes
	top   slog.Handler // with those attributes that came before the first group
	below []logScope   // the groups, from the outside in
}

// logScope is a group and the attributes that were added in it.
type logScope struct {
	group string
	attrs []slog.Attr
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	belongs := belongingOf(ctx)
	switch {
	case belongs.n == 0:
		return h.next.Handle(ctx, r)
	case len(h.below) == 0:
		r = r.Clone() // its attributes may be shared
		r.AddAttrs(belongs.attrs[:belongs.n]...)
		return h.next.Handle(ctx, r)
	}
	grouped := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	grouped.AddAttrs(belongs.attrs[:belongs.n]...)
	grouped.AddAttrs(h.grouped(r))
	return h.top.Handle(ctx, grouped)
}

// grouped returns the attributes of r in the groups that they belong to.
func (h *logHandler) grouped(r slog.Record) slog.Attr {
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	var group slog.Attr
	for i, scope := range slices.Backward(h.below) {
		group = slog.Attr{Key: scope.group, Value: slog.GroupValue(slices.Concat(scope.attrs, attrs)...)}
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
	if len(h.below) == 0 {
		with.top = with.next
		return with
	}
	with.below = slices.Clone(h.below)
	last := &with.below[len(with.below)-1]
	last.attrs = slices.Concat(last.attrs, attrs)
	return with
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{
		next:  h.next.WithGroup(name),
		top:   h.top,
		below: append(slices.Clip(h.below), logScope{group: name}),
	}
}
