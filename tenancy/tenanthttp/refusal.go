package tenanthttp

import (
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// Refusal says why a request is not served.
type Refusal struct {
	// Err is the reason, never nil: the resolver's error, a [tenancy.InactiveError], a
	// [tenancy.QuarantineError], [ErrNoSite], [ErrNoSession], [tenanttoken.ErrForeignTenant] or
	// another error of these packages. It is for the program: its text may say more than a client
	// should read.
	Err error

	// Problem is the default response.
	Problem Problem

	// Tenant is the tenant of the host, or nil if it is unknown. It must not be changed. For a tenant
	// in a status other than active, suspended, maintenance and provisioning, the default response is
	// that for an unknown host.
	Tenant *tenancy.Tenant
}

type refuseFunc func(w http.ResponseWriter, r *http.Request, refusal Refusal)

// Refuse refuses r: it calls the [Routes].Refuse of the [Handler] that serves r, or sends the
// problem. Middlewares use it to refuse requests in the platform's own way. The default of
// refusal.Problem is [ProblemOf] refusal.Err. The default of refusal.Tenant is the tenant of r's
// context. The response has Cache-Control: no-store.
func Refuse(w http.ResponseWriter, r *http.Request, refusal Refusal) {
	if refusal.Problem.Status == 0 {
		refusal.Problem, _ = ProblemOf(refusal.Err)
	}
	if refusal.Tenant == nil {
		refusal.Tenant, _ = tenancy.FromContext(r.Context())
	}
	refuse(w, r, refuseFuncOf(r.Context()), refusal)
}

func refuse(w http.ResponseWriter, r *http.Request, answer refuseFunc, refusal Refusal) {
	w.Header().Set("Cache-Control", "no-store")
	if refusal.Problem.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2, requires one
	}
	answer(w, r, refusal)
}

// respond is the default refuseFunc.
func respond(w http.ResponseWriter, _ *http.Request, refusal Refusal) { refusal.Problem.Respond(w) }
