package erp

import (
	_ "embed"
	"net/http"
)

// The document is written by hand: it is a promise to clients, and no print of the code. A test
// holds the code to it, by every route, answer and accepted body.
//
//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the OpenAPI 3.1 document of the routes, in JSON.
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }

// registerOpenAPI adds the document, which needs no session.
func (m *Module) registerOpenAPI(mux *http.ServeMux) {
	public := func(h http.Handler) http.Handler { return h }
	m.mount(mux, "/api/openapi.json", methods{http.MethodGet: serveOpenAPI}, public)
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache") // a cache may store it, and must revalidate
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(openAPI) // an error means that the client is gone
	return nil
}
