package main

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/console"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
)

// routes is all that is served, from the outside in: an id for the request, the health checks, whose host it
// is, the metrics, the limits, and the access log. What a limit refuses is counted and not logged, so
// that a flood of requests is no flood of rows.
func (a *app) routes() (http.Handler, error) {
	limit, err := a.rateLimit()
	if err != nil {
		return nil, err
	}
	public, err := a.publicSite()
	if err != nil {
		return nil, err
	}
	site := tenancy.Handler(a.hosts, a.metrics.Routes(tenancy.Routes{
		Public: withPage("GET /metrics", a.metricsPage(), limit(a.log.Middleware(public, logged))),
		Tenant: limit(a.log.Middleware(erp.Handler(a.db, a.schoolConfig()), logged)),
		Logger: a.logger,
	}))
	site = withPage("GET /healthz", http.HandlerFunc(healthy), withPage("GET /readyz", http.HandlerFunc(a.ready), site))
	return tenancy.RequestIDHandler(site, tenancy.RequestIDConfig{}), nil
}

// publicSite is what the platform's own hosts show.
func (a *app) publicSite() (http.Handler, error) {
	shown := prometheus.NewRegistry()
	shown.MustRegister(a.metrics)
	admin, err := console.New(console.Config{
		Tenants: a.tenants, Schools: a.schools, Runner: a.runner, Backups: a.backups, Log: a.log, Owner: a.owner,
		Metrics: shown, Staff: a.staff, Signer: a.signer, Port: a.port, Logger: a.logger,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/admin/", admin)
	mux.Handle("/static/", web.Static())
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		tenancy.Problem{Status: http.StatusNotFound, Detail: "There is nothing at this address of the public site."}.Respond(w)
	})
	return mux, nil
}

var homePage = template.Must(template.New("home").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Schools</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<h1>Schools</h1>
<p>Each school has a PostgreSQL schema of its own. The same request, sent to another host, sees another school.</p>
<ul>
{{range .Schools}}<li><a href="http://{{.Slug}}.localhost:{{$.Port}}/api/students/">{{.Name}}</a> ({{.Status}}, schema <code>{{.Schema}}</code>)</li>
{{else}}<li>There is no school yet.</li>
{{end}}</ul>
`))

// home is the list of schools, read from the registry with the rights of the public role.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	schools, err := a.registry.List(r.Context(), tenancy.Filter{})
	if err != nil {
		a.logger.ErrorContext(r.Context(), "list schools", slog.Any("error", err))
		tenancy.Problem{Status: http.StatusServiceUnavailable, Detail: "The registry does not answer."}.Respond(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = homePage.Execute(w, map[string]any{"Schools": schools.Tenants, "Port": a.port}) // the client has gone
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

// ready says whether requests should be sent here, on any host: the database answers, and the hosts that are known are current.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	problem := tenancy.Problem{Status: http.StatusServiceUnavailable, RetryAfter: readyTimeout}
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
