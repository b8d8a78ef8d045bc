package ratelimit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// newSchools is the fixture of the examples: a database with schoola on plan "free" and schoolb on
// plan "gold". done drops it.
func newSchools() (p *platform, done func()) {
	pg, closeDB, err := pgtest.Open(context.Background())
	orPanic(err)
	p, closePools := newPlatform(pg)
	return p, func() {
		closePools()
		orPanic(closeDB())
	}
}

// Students answers with the number of students of the request's tenant.
func (p *platform) Students() http.Handler {
	db := p.db(2, schemactx.Config{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := db.QueryRow(r.Context(), "select count(*) from students").Scan(&n); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, n, "students")
	})
}

// handler serves app behind the rate limit of cfg.
func (p *platform) handler(cfg ratelimit.MiddlewareConfig, app http.Handler) http.Handler {
	limit, err := ratelimit.Middleware(cfg)
	orPanic(err)
	return tenanthttp.Handler(p.hosts, tenanthttp.Routes{Tenant: limit(app)})
}

// ask sends a GET to h and prints the answer. headers are names, each followed by its value.
func ask(h http.Handler, url string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	return w
}
