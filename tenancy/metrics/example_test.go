package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

// newSchool returns a handle on a database with the tenant school_a. Its hooks are those of m.
func newSchool(m *metrics.Metrics) (db *schemactx.DB, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	must(err)
	report, err := admin.Setup(ctx, pg.Pool, admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"})
	must(err)
	owner, err := pgxpool.New(ctx, pg.URLAs(report.Roles.Owner(), "o"))
	must(err)
	_, err = admin.Provision(ctx, owner, report.Roles, "school_a")
	must(err)
	owner.Close()
	pool, err := pgxpool.New(ctx, pg.URLAs(report.Roles.Runtime(), "r"))
	must(err)
	db, err = schemactx.New(pool, schemactx.Config{Hooks: m.Hooks(schemactx.Hooks{})})
	must(err)
	return db, func() {
		pool.Close()
		must(closeDB())
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// show prints the lines of a scrape that begin with one of the names.
func show(reg *prometheus.Registry, names ...string) {
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		for _, name := range names {
			if strings.HasPrefix(line, name) {
				fmt.Print(line)
			}
		}
	}
}

// The hooks of a handle count what its tenants do, and a registry exports the counters.
func ExampleMetrics_Hooks() {
	m, err := metrics.New(metrics.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, done := newSchool(m)
	defer done()
	reg := prometheus.NewRegistry()
	reg.MustRegister(m)

	ctx := schemactx.NewContext(context.Background(), "school_a") // set by the middleware in a request
	for _, sql := range []string{"select 1", "select 2", "select * from pg_authid"} {
		if _, err := db.Exec(ctx, sql); err != nil {
			fmt.Println("refused")
		}
	}
	show(reg, "pgtenant_statements_total", "pgtenant_cross_tenant_attempts_total")

	// Output:
	// refused
	// pgtenant_cross_tenant_attempts_total{tenant="none"} 0
	// pgtenant_cross_tenant_attempts_total{tenant="other"} 0
	// pgtenant_cross_tenant_attempts_total{tenant="public"} 0
	// pgtenant_cross_tenant_attempts_total{tenant="school_a"} 1
	// pgtenant_statements_total{tenant="none"} 0
	// pgtenant_statements_total{tenant="other"} 0
	// pgtenant_statements_total{tenant="public"} 0
	// pgtenant_statements_total{tenant="school_a"} 3
}
