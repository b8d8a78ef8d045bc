package main

import (
	"html/template"
	"log/slog"
	"net/http"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy"
)

// routes is all that is served, from the outside in: an id for the request, the health check, whose host it
// is, the metrics, the limits, and the access log. What a limit refuses is counted and not logged, so
// that a flood of requests is no flood of rows.
func (a *app) routes() (http.Handler, error) {
	limit, err := a.rateLimit()
	if err != nil {
		return nil, err
	}
	site := tenancy.Handler(a.hosts, a.metrics.Routes(tenancy.Routes{
		Public: withPage("GET /metrics", a.metricsPage(), limit(a.log.Middleware(a.publicSite(), logged))),
		Tenant: limit(a.log.Middleware(erp.Handler(a.db, erp.HandlerConfig{Anonymous: everybody, Logger: a.logger}), logged)),
		Logger: a.logger,
	}))
	return tenancy.RequestIDHandler(withPage("GET /healthz", http.HandlerFunc(healthy), site), tenancy.RequestIDConfig{}), nil
}

// everybody may look at the schools of the demo.
func everybody(*http.Request) (erp.Viewer, bool) { return erp.Visitor(), true }

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

// publicSite is what the platform's own hosts show: the list of schools, read from the
// registry with the rights of the public role.
func (a *app) publicSite() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		schools, err := a.registry.List(r.Context(), tenancy.Filter{})
		if err != nil {
			a.logger.ErrorContext(r.Context(), "list schools", slog.Any("error", err))
			tenancy.Problem{Status: http.StatusServiceUnavailable, Detail: "The registry does not answer."}.Respond(w)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = homePage.Execute(w, map[string]any{"Schools": schools.Tenants, "Port": a.port}) // the client has gone
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		tenancy.Problem{Status: http.StatusNotFound, Detail: "There is nothing at this address of the public site."}.Respond(w)
	})
	return mux
}

// healthy says that the process is up and serves, on any host.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// withPage puts a page in front of all others.
func withPage(pattern string, page, others http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pattern, page)
	mux.Handle("/", others)
	return mux
}
