package main

import (
	"context"
	"iter"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// watch adds the sources of the metrics that no hook reports.
func (a *app) watch() error {
	return a.metrics.Watch(metrics.Sources{
		DBs:     []metrics.DB{a.db},
		Tenants: a.registry,
		Storage: a.runtime,
		Migrations: func(ctx context.Context) iter.Seq2[migrate.SchemaState, error] {
			return a.runner.Fleet(ctx, a.tenants.Schemas)
		},
		Backups:    metrics.BackupsFunc(a.lastBackups),
		Directory:  func() metrics.DirectoryStatus { return metrics.DirectoryStatus(a.hosts.Status()) },
		Quarantine: func() metrics.QuarantineStatus { return metrics.QuarantineStatus(a.quarantine.Status()) },
	})
}

// lastBackups returns the time of each school's last backup, by schema.
func (p *platform) lastBackups(ctx context.Context) (map[string]time.Time, error) {
	taken := make(map[int64]time.Time)
	for info, err := range p.backups.Backups(ctx, 0) {
		if err != nil {
			return nil, err
		}
		if info.TakenAt.After(taken[info.TenantID]) && !info.Ahead(time.Now()) { // not if a clock was wrong
			taken[info.TenantID] = info.TakenAt
		}
	}
	last := make(map[string]time.Time)
	for t, err := range p.registry.All(ctx, tenancy.Filter{}) {
		if err != nil {
			return nil, err
		}
		if at, ok := taken[t.ID]; ok {
			last[t.Schema] = at // the current schema: a restore may have changed it
		}
	}
	return last, nil
}

// metricsPage serves Prometheus. The metrics name every school and its load, so they are served
// only on the platform's hosts, and only to this machine. A Prometheus elsewhere needs a tunnel, or
// a port of its own.
func (a *app) metricsPage() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(a.metrics, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	page := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !from.Addr().Unmap().IsLoopback() {
			tenanthttp.Problem{Status: http.StatusForbidden, Detail: "Metrics are available on this machine only."}.Respond(w)
			return
		}
		page.ServeHTTP(w, r)
	})
}
