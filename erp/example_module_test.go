package erp_test

import (
	"fmt"
	"net/http"

	"github.com/oryne/pgtenant/erp"
)

// A program registers the module beside its own pages, which get the same viewers.
func ExampleModule() {
	s, done := newSchools()
	defer done()
	module := erp.New(s.DB, erp.HandlerConfig{Signer: s.Signer})
	mux := http.NewServeMux()
	module.Register(mux)
	mux.Handle("GET /{$}", module.WithViewer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		me, err := erp.NewMe(s.DB).Get(r.Context())
		if err != nil {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "Hello %s, you are the school's %s.", me.Name, me.Role)
	})))
	h := s.Serve(mux)

	s.addUser(s.Context("schoola"), "head@example.com", erp.RoleAdmin)
	cookie := logIn(h, "schoola.example.com", "head@example.com")
	show(send(h, "GET", "schoola.example.com", "/", "", "Cookie", cookie))
	send(h, "POST", "schoola.example.com", "/api/auth/logout", "", "Cookie", cookie)
	show(send(h, "GET", "schoola.example.com", "/", "", "Cookie", cookie))

	// Output:
	// 200 Hello head@example.com, you are the school's admin.
	// 401 sign in
}
