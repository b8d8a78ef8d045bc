package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// ReadJSON decodes the JSON object of the body into to. It refuses unknown fields. If it returns
// false, it has answered: 415 for another content type, 413 for a body that is too long, 400
// otherwise.
func ReadJSON(w http.ResponseWriter, r *http.Request, to any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		tenanthttp.Problem{Status: http.StatusUnsupportedMediaType, Detail: "The body has to be application/json."}.Respond(w)
		return false
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm))
	in.DisallowUnknownFields()
	err := in.Decode(to)
	if err == nil {
		if _, more := in.Token(); !errors.Is(more, io.EOF) {
			err = errors.Join(more, errors.New("there is more behind the object"))
		}
	}
	var tooLong *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &tooLong):
		tenanthttp.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The body is longer than 64 KiB."}.Respond(w)
	default:
		tenanthttp.Problem{
			Status: http.StatusBadRequest,
			Detail: "The body is not a JSON object of the right fields.",
		}.Respond(
			w,
		)
	}
	return false
}

// WriteJSON answers with a value as JSON, which must not be cached.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // an error means that the client has disconnected
}
