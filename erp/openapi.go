package erp

import (
	_ "embed"
	"net/http"
)

// The document is written by hand: it is a promise to clients, and no print of the code. A test holds the code to it, by
// every route, answer and accepted body.
//
//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the OpenAPI 3.1 document of the routes, in JSON.
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }

// registerOpenAPI adds the document, which is the same for everybody.
func (m *Module) registerOpenAPI(mux *http.ServeMux) {
	everybody := func(h http.Handler) http.Handler { return h }
	m.mount(mux, "/api/openapi.json", methods{http.MethodGet: serveOpenAPI}, everybody)
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache") // a proxy may keep it, if it asks
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(openAPI) // the client has gone; there is nobody to tell
	return nil
}
