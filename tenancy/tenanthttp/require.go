package tenanthttp

import (
	"net/http"

	"github.com/oryne/pgtenant/tenancy"
)

// RequireTenant returns a handler that serves requests of tenants with next and refuses all others
// with 404, see [Refuse]. It is for a mux that is mounted for both kinds of site. The tenant is
// that of the request's context, from [Handler] or from [tenancy.NewContext].
func RequireTenant(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := tenancy.FromContext(r.Context()); !ok {
			Refuse(w, r, Refusal{Err: ErrNoSite})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RequirePublic returns a handler that serves requests of the public site with next and refuses all
// others with 404, see [RequireTenant]. A request of neither site is refused as well.
func RequirePublic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !tenancy.IsPublic(r.Context()) {
			Refuse(w, r, Refusal{Err: ErrNoSite})
			return
		}
		next.ServeHTTP(w, r)
	})
}
