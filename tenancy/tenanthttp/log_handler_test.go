package tenanthttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// logged returns the records that log writes through a LogHandler, without the time.
func logged(log func(*slog.Logger)) string {
	var out bytes.Buffer
	log(slog.New(tenanthttp.LogHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))))
	return strings.TrimSpace(out.String())
}

func TestRecordsHaveTheAttributesOfTheSite(t *testing.T) {
	t.Parallel()
	ctx := tenancy.NewContext(t.Context(), active(7, "a"))
	for want, log := range map[string]func(*slog.Logger){
		"level=INFO msg=m": func(l *slog.Logger) { l.InfoContext(t.Context(), "m") },
		"level=WARN msg=m site=public schema=public": func(l *slog.Logger) {
			l.WarnContext(tenancy.NewPublicContext(t.Context()), "m")
		},
		"level=INFO msg=m x=1 tenant=a tenant_id=7 schema=tenant_a": func(l *slog.Logger) {
			l.InfoContext(ctx, "m", "x", 1)
		},
		"level=INFO msg=m w=1 x=1 tenant=a tenant_id=7 schema=tenant_a": func(l *slog.Logger) {
			l.With("w", 1).InfoContext(ctx, "m", "x", 1)
		},
		"level=INFO msg=m w=1 tenant=a tenant_id=7 schema=tenant_a g.x=1": func(l *slog.Logger) {
			l.With("w", 1).WithGroup("g").InfoContext(ctx, "m", "x", 1)
		},
		"level=INFO msg=m tenant=a tenant_id=7 schema=tenant_a g.v=1 g.h.w=2 g.h.x=3 g.h.i.y=4": func(l *slog.Logger) {
			l.WithGroup("g").With("v", 1).WithGroup("h").With("w", 2).InfoContext(ctx, "m", "x", 3, slog.Group("i", "y", 4))
		},
		"level=INFO msg=m g.v=1 g.h.x=3": func(l *slog.Logger) { // no site: as without a LogHandler
			l.WithGroup("g").With("v", 1).WithGroup("h").InfoContext(t.Context(), "m", "x", 3)
		},
		"level=INFO msg=empty tenant=a tenant_id=7 schema=tenant_a": func(l *slog.Logger) {
			l.WithGroup("g").WithGroup("h").InfoContext(ctx, "empty")
		},
	} {
		assert.Equal(t, want, logged(log))
	}
}

// Two loggers that derive from one logger do not change each other's attributes.
func TestDerivedLoggersAreIndependent(t *testing.T) {
	t.Parallel()
	ctx := tenancy.NewContext(t.Context(), active(7, "a"))
	got := logged(func(l *slog.Logger) {
		g := l.WithGroup("g").With("v", 1)
		one, two := g.With("one", 1), g.With("two", 2)
		deep, other := g.WithGroup("h").With("x", 1), g.WithGroup("i").With("x", 2)
		for _, branch := range []*slog.Logger{one, two, deep, other, g} {
			branch.InfoContext(ctx, "m", "y", 1)
		}
	})
	var want []string
	for _, attrs := range []string{
		"g.v=1 g.one=1 g.y=1", "g.v=1 g.two=2 g.y=1", "g.v=1 g.h.x=1 g.h.y=1", "g.v=1 g.i.x=2 g.i.y=1", "g.v=1 g.y=1",
	} {
		want = append(want, "level=INFO msg=m tenant=a tenant_id=7 schema=tenant_a "+attrs)
	}
	assert.Equal(t, strings.Join(want, "\n"), got)
}

// sharer passes one record to a handler twice, as a fan-out does.
type sharer struct{ slog.Handler }

func (s sharer) Handle(ctx context.Context, r slog.Record) error {
	for range 2 {
		if err := s.Handler.Handle(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func TestASharedRecordIsNotChanged(t *testing.T) {
	t.Parallel()
	ctx := tenancy.NewContext(t.Context(), active(7, "a"))
	var out bytes.Buffer
	l := slog.New(sharer{tenanthttp.LogHandler(slog.NewJSONHandler(&out, nil))})
	l.InfoContext(ctx, "m", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6) // more attributes than a record stores inline
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if assert.Len(t, lines, 2, out.String()) && assert.Equal(t, lines[1], lines[0], out.String()) {
		assert.Equal(t, 1, strings.Count(lines[0], `"tenant"`), out.String())
	}
}

// withSite adds a site to the context of slogtest's records.
type withSite struct {
	slog.Handler
	ctx context.Context
}

func (h withSite) Handle(_ context.Context, r slog.Record) error { return h.Handler.Handle(h.ctx, r) }

func (h withSite) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withSite{h.Handler.WithAttrs(attrs), h.ctx}
}

func (h withSite) WithGroup(name string) slog.Handler {
	return withSite{h.Handler.WithGroup(name), h.ctx}
}

func TestLogHandlerIsAHandler(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"no site": t.Context(), "a tenant": tenancy.NewContext(t.Context(), active(7, "a")),
		"public": tenancy.NewPublicContext(t.Context()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out *bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				out = &bytes.Buffer{}
				return withSite{tenanthttp.LogHandler(slog.NewJSONHandler(out, nil)), ctx}
			}, func(t *testing.T) map[string]any {
				var record map[string]any
				require.NoError(t, json.Unmarshal(out.Bytes(), &record))
				tenant, ok := tenancy.FromContext(ctx)
				if ok {
					assert.Equal(t, tenant.Slug, record["tenant"], "record without its tenant: %v", record)
				}
				return record
			})
		})
	}
}
