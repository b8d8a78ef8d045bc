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

// routes is all that is served, from the outside in: an id for the request, the health checks and
// the style sheet, whose host it is, the metrics, the limits, and the access log. What a limit
// refuses is counted and not logged, so that a flood of requests is no flood of rows.
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
	front.Handle("GET /static/", web.Static()) // on hosts that are refused as well: the page that says so has a style
	front.Handle("/", site)
	return tenanthttp.RequestIDHandler(front, tenanthttp.RequestIDConfig{}), nil
}

// schoolSite is what a school's host shows: the API of package erp for programs, and pages for
// people.
func (a *app) schoolSite() (http.Handler, error) {
	module := erp.New(a.db, a.schoolConfig())
	mux := http.NewServeMux()
	module.Register(mux)
	pages, err := schoolsite.New(schoolsite.Config{DB: a.db, Module: module, Signer: a.signer, Logger: a.logger})
	mux.Handle("/", pages)
	return mux, err
}

// publicSite is what the platform's own hosts show.
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

// healthy says that the process is up and serves, on any host.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// Who is asked whether it is ready answers soon, and with hosts that were known to be right lately.
const (
	readyTimeout = 2 * time.Second
	readyStale   = 30 * time.Second
)

// ready says whether requests should be sent here, on any host: the database answers, and the hosts
// that are known are current.
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

// withPage puts a page in front of all others.
func withPage(pattern string, page, others http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pattern, page)
	mux.Handle("/", others)
	return mux
}
