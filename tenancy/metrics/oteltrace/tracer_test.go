package oteltrace_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics/oteltrace"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// fixture is a handle of a tenant whose statements are traced.
type fixture struct {
	db       *schemactx.DB
	pool     *pgxpool.Pool
	provider *sdktrace.TracerProvider
	spans    *tracetest.InMemoryExporter
	ctx      context.Context // names the tenant
}

func setup(t *testing.T, cfg oteltrace.Config) *fixture {
	t.Helper()
	pg, f := pgtest.New(t), &fixture{spans: tracetest.NewInMemoryExporter()}
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(
		t.Context(),
		pg.Pool,
		admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"},
	)
	require.NoError(t, err)
	owner, err := pgxpool.New(t.Context(), pg.URLAs(roles.Owner(), "o"))
	require.NoError(t, err)
	defer owner.Close()
	_, err = admin.Provision(t.Context(), owner, roles, "tenant_1")
	require.NoError(t, err)
	_, err = owner.Exec(t.Context(), "create table tenant_1.notes (id int primary key, body text)")
	require.NoError(t, err)

	f.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(f.spans))
	cfg.TracerProvider = f.provider
	pool, err := pgxpool.ParseConfig(pg.URLAs(roles.Runtime(), "r"))
	require.NoError(t, err)
	pool.ConnConfig.Tracer = oteltrace.New(cfg)
	f.pool, err = pgxpool.NewWithConfig(context.Background(), pool)
	require.NoError(t, err)
	t.Cleanup(f.pool.Close)
	f.db, err = schemactx.New(f.pool, schemactx.Config{Roles: roles})
	require.NoError(t, err)
	f.ctx = tenancy.NewContext(t.Context(), &tenancy.Tenant{ID: 1, Schema: "tenant_1", Slug: "acme"})
	return f
}

// trace runs fn within the span of a request and returns the spans that were made, as
// "name{attributes} status".
func (f *fixture) trace(fn func(ctx context.Context)) []string {
	f.spans.Reset()
	ctx, request := f.provider.Tracer("test").Start(f.ctx, "request")
	fn(ctx)
	request.End()
	var spans []string
	for _, s := range f.spans.GetSpans() {
		if s.Name == "request" {
			continue
		}
		attrs := make(map[string]string)
		for _, a := range s.Attributes {
			attrs[string(a.Key)] = a.Value.String()
		}
		for _, key := range []string{"server.address", "server.port"} {
			if attrs[key] == "" {
				spans = append(spans, "no "+key)
			}
			delete(attrs, key)
		}
		if database, schema, _ := strings.Cut(
			attrs["db.namespace"],
			"|",
		); database != f.pool.Config().ConnConfig.Database ||
			schema != attrs["pgtenant.schema"] {
			spans = append(spans, "namespace "+attrs["db.namespace"])
		}
		delete(attrs, "db.namespace")
		var shown []string
		for _, key := range slices.Sorted(maps.Keys(attrs)) {
			shown = append(shown, key+"="+attrs[key])
		}
		line := s.Name + "{" + strings.Join(shown, " ") + "}"
		if s.Status.Code == codes.Error {
			line += " error " + s.Status.Description
		}
		spans = append(spans, line)
	}
	return spans
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	assert.Equal(t, want, got, "spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

const (
	secret = "s3cret"
	common = "db.system.name=postgresql"
	tenant = "pgtenant.schema=tenant_1 pgtenant.tenant=acme"
)

func TestSpansOfATenantsStatements(t *testing.T) {
	t.Parallel()
	f := setup(t, oteltrace.Config{})
	insert := func(ctx context.Context) {
		_, err := f.db.Exec(ctx, "/* "+secret+" */ insert into notes values ($1, $2)", 1, secret)
		require.NoError(t, err)
	}
	expect(t, f.trace(insert),
		"PREPARE INSERT{db.operation.name=PREPARE "+common+" "+tenant+"}",
		"INSERT{db.operation.name=INSERT "+common+" "+tenant+"}")
	expect(t, f.trace(func(ctx context.Context) {
		_, err := f.db.Exec(ctx, "select '"+secret+"'::text::int")
		assert.ErrorContains(t, err, secret, "got %v, want an error that quotes the value", err)
		_, _ = f.db.Exec(ctx, "select $1::int", secret)
	})[1:],
		"SELECT{db.operation.name=SELECT db.response.status_code=22P02 "+common+" error.type=22P02 "+tenant+"} error 22P02",
		"PREPARE SELECT{db.operation.name=PREPARE "+common+" "+tenant+"}",
		"SELECT{db.operation.name=SELECT db.response.status_code=22P02 "+common+" error.type=22P02 "+tenant+"} error 22P02")
	expect(t, f.trace(func(ctx context.Context) {
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue("update notes set body = $1", secret)
		require.NoError(t, f.db.SendBatch(ctx, b).Close())
	}),
		"SELECT{db.operation.name=SELECT "+common+" "+tenant+"}",
		"UPDATE{db.operation.name=UPDATE "+common+" "+tenant+"}",
		"BATCH{db.operation.batch.size=2 db.operation.name=BATCH "+common+" "+tenant+"}")
	expect(t, f.trace(func(ctx context.Context) {
		_, err := f.db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, pgx.CopyFromRows([][]any{{2, secret}}))
		require.NoError(t, err)
	}),
		"PREPARE SELECT{db.operation.name=PREPARE "+common+" "+tenant+"}",
		"COPY notes{db.collection.name=notes db.operation.name=COPY "+common+" "+tenant+"}")
	expect(t, f.trace(func(ctx context.Context) { _, _ = f.pool.Exec(context.WithoutCancel(ctx), "show search_path") }),
		"SHOW{db.operation.name=SHOW "+common+" "+tenant+"}")
}

// No span contains a value of the tenant, for all kinds of statements and errors.
func TestSpansContainNoValuesOfTenants(t *testing.T) {
	t.Parallel()
	f := setup(t, oteltrace.Config{})
	f.trace(func(ctx context.Context) {
		for range 2 {
			_, _ = f.db.Exec(ctx, "insert into notes values (1, $1)", secret)
			_, _ = f.db.Exec(ctx, "select '"+secret+"'::int")
			_, _ = f.db.Exec(ctx, secret)
			_, _ = f.db.Exec(ctx, "select $1::int", secret)
			_, _ = f.db.Exec(ctx, "select $1::int", struct{ S string }{secret})
			_ = f.db.QueryRow(ctx, "select $1::text", secret).Scan(new(int))
			b := &pgx.Batch{}
			b.Queue("select ($1::text)::int", secret)
			_ = f.db.SendBatch(ctx, b).Close()
			_, _ = f.db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id"}, pgx.CopyFromRows([][]any{{secret}}))
		}
	})
	all := fmt.Sprintf("%+v", f.spans.GetSpans())
	assert.GreaterOrEqual(t, len(f.spans.GetSpans()), 12, "spans")
	assert.NotContains(t, all, secret)
}

func TestStatementTextByOption(t *testing.T) {
	t.Parallel()
	f := setup(t, oteltrace.Config{StatementText: true})
	expect(t, f.trace(func(ctx context.Context) {
		_, err := f.db.Exec(ctx, "select $1::text", secret)
		require.NoError(t, err)
	}),
		"PREPARE SELECT{db.operation.name=PREPARE db.query.text=select $1::text "+common+" "+tenant+"}",
		"SELECT{db.operation.name=SELECT db.query.text=select $1::text "+common+" "+tenant+"}")
}

func TestNothingIsTracedWithoutAParentSpan(t *testing.T) {
	t.Parallel()
	f := setup(t, oteltrace.Config{})
	_, err := f.db.Exec(f.ctx, "select 1")
	require.NoError(t, err)
	assert.Equal(t, 0, len(f.spans.GetSpans()), "spans")
}
