package erp

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// methods are the actions of one path by method.
type methods map[string]action

// handler serves the actions, and refuses other methods.
func (m *Module) handler(actions methods) http.Handler {
	allow := strings.Join(slices.Sorted(maps.Keys(actions)), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet // net/http omits the body
		}
		act, ok := actions[method]
		if !ok {
			w.Header().Set("Allow", allow)
			tenanthttp.Problem{Status: http.StatusMethodNotAllowed}.Respond(w)
			return
		}
		if err := act(w, r); err != nil {
			m.refuse(w, r, err)
		}
	})
}
