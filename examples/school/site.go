package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/console"
	"github.com/oryne/pgtenant/examples/school/internal/publicsite"
	"github.com/oryne/pgtenant/examples/school/internal/schoolsite"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// routes builds the whole handler, from the outside in: request id, health checks and style sheet,
// host, metrics, rate limits, access log. A request that a limit refuses is counted but not logged,
// so that a flood of requests does not become a flood of rows.
func (a *app) routes() (http.Handler, error) {
	limit, err := a.rateLimit()
	if err != nil {
		return nil, err
	}
	public, err := a.publicSite()
	if err != nil {
		return nil, err
	}
	school, err := a.schoolSite()
	if err != nil {
		return nil, err
	}
	refuse, err := web.Refusals(a.signer, a.logger)
	if err != nil {
		return nil, err
	}
	site := tenanthttp.Handler(a.hosts, a.metrics.Routes(tenanthttp.Routes{
		Public: withPage("GET /metrics", a.metricsPage(), limit(a.log.Middleware(public, logged))),
		Tenant: limit(a.log.Middleware(school, logged)),
		Admit:  a.quarantine.Admit,
		Refuse: refuse,
		Logger: a.logger,
	}))
	front := http.NewServeMux()
	front.HandleFunc("GET /healthz", healthy)
	front.HandleFunc("GET /readyz", a.ready)
	front.Handle("GET /static/", web.Static()) // also on refused hosts: the page of the refusal uses it
	front.Handle("/", site)
	return tenanthttp.RequestIDHandler(front, tenanthttp.RequestIDConfig{}), nil
}

// schoolSite serves the host of a school: the API of package erp for programs, and pages for
// people.
func (a *app) schoolSite() (http.Handler, error) {
	module := erp.New(a.db, a.schoolConfig())
	mux := http.NewServeMux()
	module.Register(mux)
	pages, err := schoolsite.New(schoolsite.Config{DB: a.db, Module: module, Signer: a.signer, Logger: a.logger})
	mux.Handle("/", pages)
	return mux, err
}

// publicSite serves the platform's own hosts.
func (a *app) publicSite() (http.Handler, error) {
	shown := prometheus.NewRegistry()
	shown.MustRegister(a.metrics)
	admin, err := console.New(console.Config{
		Tenants:    a.tenants,
		Schools:    a.schools,
		Runner:     a.runner,
		Quarantine: a.quarantine,
		Backups:    a.backups,
		Log:        a.log,
		Owner:      a.owner,
		Metrics:    shown,
		Staff:      a.staff,
		Signer:     a.signer,
		Port:       a.port,
		Logger:     a.logger,
	})
	if err != nil {
		return nil, err
	}
	pages, err := publicsite.New(publicsite.Config{
		Registry: a.registry,
		Schools:  a.schools,
		Staff:    a.staff,
		Signer:   a.signer,
		Open:     isOpen,
		Port:     a.port,
		Logger:   a.logger,
	})
	return withPage("/admin/", admin, pages), err
}

// healthy reports on any host that the process is up and serving.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// The bounds of a readiness check: the time to answer, and the age of the known hosts.
const (
	readyTimeout = 2 * time.Second
	readyStale   = 30 * time.Second
)

// ready reports on any host whether this process should get requests: the database answers, and the
// known hosts are current.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	problem := tenanthttp.Problem{Status: http.StatusServiceUnavailable, RetryAfter: readyTimeout}
	switch err := a.runtime.Ping(ctx); {
	case err != nil:
		a.logger.WarnContext(ctx, "not ready", slog.Any("error", err))
		problem.Detail = "The database does not answer."
		problem.Respond(w)
	case a.hosts.Status().Staleness() > readyStale:
		problem.Detail = "The hosts that are known may be out of date."
		problem.Respond(w)
	default:
		healthy(w, r)
	}
}

// withPage serves pattern with page, and everything else with others.
func withPage(pattern string, page, others http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pattern, page)
	mux.Handle("/", others)
	return mux
}
