package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/oryne/pgtenant/examples/frameworks/platform"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func main() { platform.Main(routes) }

// routes returns one router for both sites.
func routes(p *platform.Platform) http.Handler {
	r := chi.NewRouter()
	r.With(tenanthttp.RequirePublic).Get("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Welcome to the platform.")
	})
	r.Route("/students", func(r chi.Router) {
		r.Use(tenanthttp.RequireTenant)
		r.Get("/{id}", student(p))
	})
	return r
}

func student(p *platform.Platform) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
		if err != nil {
			tenanthttp.Problem{Status: http.StatusBadRequest, Detail: "The ID is not a number."}.Respond(w)
			return
		}
		s, err := p.Student(r.Context(), id) // of the school of the request's host
		if err != nil {
			platform.Problem(r, err).Respond(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // an error means that the client has disconnected
	}
}
