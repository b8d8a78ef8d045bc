package schemactx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/oryne/pgtenant/schemactx"
)

// A middleware puts the schema into the request's context. The handlers need no knowledge of
// tenants.
func ExampleNewContext() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := db.QueryRow(r.Context(), "select count(*) from students").Scan(&n); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		schema, _ := schemactx.FromContext(r.Context())
		fmt.Fprintf(w, "%s: %d students", schema, n)
	})
	// In a program, package tenancy stores them in a table.
	schemas := map[string]string{"a.example.com": "school_a", "b.example.com": "school_b"}
	middleware := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		schema, ok := schemas[r.Host]
		if !ok {
			http.Error(w, "unknown host", http.StatusNotFound)
			return
		}
		handler.ServeHTTP(w, r.WithContext(schemactx.NewContext(r.Context(), schema)))
	})

	for _, url := range []string{"http://b.example.com/", "http://c.example.com/"} {
		w := httptest.NewRecorder()
		middleware.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 school_b: 2 students
	// 404 unknown host
}
