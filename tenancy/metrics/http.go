package metrics

import (
	"cmp"
	"net/http"
	"sort"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Routes returns routes that count requests of each tenant with status and duration, and refusals
// by reason. r.Refuse, or its default, still answers. A refusal with status 503 because the tenant
// is in maintenance or not ready has the class "maintenance": it is not a server error.
func (m *Metrics) Routes(r tenanthttp.Routes) tenanthttp.Routes {
	if r.Public != nil {
		r.Public = m.Handler(r.Public)
	}
	if r.Tenant != nil {
		r.Tenant = m.Handler(r.Tenant)
	}
	answer := r.Refuse
	if answer == nil {
		answer = func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) { refusal.Problem.Respond(w) }
	}
	r.Refuse = func(w http.ResponseWriter, r *http.Request, refusal tenanthttp.Refusal) {
		m.refusals.WithLabelValues(reasonOf(refusal)).Inc()
		_, inside := tenancy.FromContext(r.Context())
		if inside || tenancy.IsPublic(r.Context()) {
			if isPlanned(refusal) {
				plan(w)
			}
			answer(w, r, refusal) // a middleware of the site has refused it, so Handler counts the request
			return
		}
		a := m.ledger.none
		if refusal.Tenant != nil {
			a = m.ledger.of(refusal.Tenant.Schema).account
		}
		m.serve(a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isPlanned(refusal) {
				plan(w)
			}
			answer(w, r, refusal)
		}), w, r)
	}
	return r
}

// Handler counts the requests to next for the tenant of their context. It is for programs that do
// not use [tenanthttp.Handler]; see [Metrics.Routes].
func (m *Metrics) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.serve(m.ledger.of(schemaOf(r.Context())).account, next, w, r)
	})
}

// serve counts a request when it ends. A panic counts as status 500, which the client sees unless
// the response had begun.
func (m *Metrics) serve(a *account, next http.Handler, w http.ResponseWriter, r *http.Request) {
	rec, begun := recorder{ResponseWriter: w}, time.Now()
	panics := true
	defer func() {
		if panics {
			rec.status = http.StatusInternalServerError
		}
		class := classOf(rec.status)
		if rec.planned && !panics && class == classServerError {
			class = classMaintenance
		}
		m.served(a, class, time.Since(begun))
	}()
	next.ServeHTTP(rec.wrap(), r)
	panics = false
}

// statusClassNames are the values of the label code.
var statusClassNames = [statusClasses]string{"1xx", "2xx", "3xx", "4xx", "5xx", "maintenance"}

const (
	classServerError = 4
	classMaintenance = 5
)

func classOf(status int) int {
	class := cmp.Or(status, http.StatusOK)/100 - 1
	if class < 0 || class > classServerError {
		return classServerError // an invalid status is a mistake of the program
	}
	return class
}

// isPlanned reports whether a tenant is refused because it is in maintenance or not ready yet.
func isPlanned(refusal tenanthttp.Refusal) bool {
	r := reasonOf(refusal)
	return r == reasonMaintenance || r == reasonNotReady
}

func (m *Metrics) served(a *account, class int, took time.Duration) {
	a.add(cellRequests+cell(class), 1)
	took = max(took, 0)
	a.add(cellDuration, uint64(took))
	a.buckets[sort.SearchFloat64s(m.cfg.Buckets, took.Seconds())].Add(1)
}
