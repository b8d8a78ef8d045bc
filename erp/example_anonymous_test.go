package erp_test

import (
	"net/http"

	"github.com/oryne/pgtenant/erp"
)

// A public school lets visitors read, but not change anything.
func ExampleVisitor() {
	s, done := newSchools()
	defer done()
	h := s.Serve(erp.Handler(s.DB, erp.HandlerConfig{
		Anonymous: func(*http.Request) (erp.Viewer, bool) { return erp.Visitor(), true },
	}))
	show(send(h, "GET", "schoola.example.com", "/api/students/", ""))
	show(send(h, "GET", "schoola.example.com", "/api/parents/", ""))
	show(send(h, "DELETE", "schoola.example.com", "/api/students/1", ""))

	// Output:
	// 200 {"students":[]}
	// 403 {"title":"Forbidden","status":403,"detail":"Your role does not allow this."}
	// 403 {"title":"Forbidden","status":403,"detail":"Your role does not allow this."}
}
