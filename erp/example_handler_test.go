package erp_test

import (
	"fmt"

	"github.com/oryne/pgtenant/erp"
)

// The API of two schools: the host selects the school, and a session of one school is refused at
// the other.
func ExampleHandler() {
	s, done := newSchools()
	defer done()
	h := s.Serve(erp.Handler(s.DB, erp.HandlerConfig{Signer: s.Signer}))

	s.addUser(s.Context("schoola"), "head@schoola.example.com", erp.RoleAdmin)
	cookie := logIn(h, "schoola.example.com", "head@schoola.example.com")
	w := send(h, "POST", "schoola.example.com", "/api/classes/", `{"name": "7", "section": "b", "year": 2026}`, "Cookie",
		cookie)
	fmt.Println(w.Code, w.Header().Get("Location"))

	show(send(h, "GET", "schoola.example.com", "/api/classes/?q=8&limit=10", "", "Cookie", cookie))
	show(send(h, "GET", "schoolb.example.com", "/api/classes/", "", "Cookie", cookie))
	show(send(h, "GET", "schoola.example.com", "/api/classes/", ""))
	show(send(h, "GET", "schoola.example.com", "/api/classes/?name=7", "", "Cookie", cookie))

	// Output:
	// 201 /api/classes/1
	// 200 {"classes":[]}
	// 403 {"title":"Foreign session","status":403,"detail":"This session belongs to another site."}
	// 401 {"title":"No session","status":401,"detail":"Sign in first."}
	// 422 {"title":"Invalid input","status":422,"detail":"name is not a known parameter",
	// "errors":[{"field":"name","detail":"is not a known parameter"}]}
}
