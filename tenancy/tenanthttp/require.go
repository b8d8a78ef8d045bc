package tenanthttp

import (
	"github.com/oryne/pgtenant/tenancy"
)

import "net/http"

// RequireTenant serves requests of tenants with next, and refuses all others with 404, see [Refuse]: for a mux that is
// mounted for both kinds of site. It works wherever the context tells the tenant, below [Handler] or [tenancy.NewContext].
func RequireTenant(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := tenancy.FromContext(r.Context()); !ok {
			Refuse(w, r, Refusal{Err: ErrNoSite})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RequirePublic serves requests of the public site with next, and refuses all others with 404, as [RequireTenant] does. A
// request that belongs to neither is refused as well.
func RequirePublic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !tenancy.IsPublic(r.Context()) {
			Refuse(w, r, Refusal{Err: ErrNoSite})
			return
		}
		next.ServeHTTP(w, r)
	})
}
