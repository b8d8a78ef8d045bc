package erp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// maxBody is the size limit of a request body, in bytes.
const maxBody = 1 << 20

// bodyError means that a body could not be decoded into the input.
type bodyError struct {
	status int
	field  string // the invalid field, if known
	detail string
}

func (e *bodyError) Error() string { return e.detail }

func (e *bodyError) fields() []tenanthttp.ProblemField {
	if e.field == "" {
		return nil
	}
	return []tenanthttp.ProblemField{{Field: e.field, Detail: e.detail}}
}

// readJSON decodes the body of r into v: one JSON object with known fields and nothing after it.
// The error is a bodyError.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return &bodyError{status: http.StatusUnsupportedMediaType, detail: "The body must be application/json."}
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return explain(err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return explain(err)
		}
		return &bodyError{status: http.StatusBadRequest, detail: "The body goes on after its JSON value."}
	}
	return nil
}

// explain returns a bodyError for a decoding error, with the field if it is known.
func explain(err error) error {
	bad := func(field, detail string) error {
		return &bodyError{status: http.StatusBadRequest, field: field, detail: detail}
	}
	var (
		tooLarge  *http.MaxBytesError
		wrongType *json.UnmarshalTypeError
		syntax    *json.SyntaxError
	)
	switch {
	case errors.As(err, &tooLarge):
		return &bodyError{status: http.StatusRequestEntityTooLarge, detail: "The body is longer than 1 MiB."}
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return bad(wrongType.Field, fmt.Sprintf("%s cannot be a JSON %s.", wrongType.Field, wrongType.Value))
	case errors.As(err, &syntax):
		return bad("", fmt.Sprintf("The body is not JSON: %v at byte %d.", syntax, syntax.Offset))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return bad("", "The body is not JSON: it ends too early.")
	}
	// package json has no error type for an unknown field
	if quoted, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		field := strings.Trim(quoted, `"`)
		return bad(field, field+" is not a known field.")
	}
	return bad("", "The body is not a JSON object.")
}

// writeNothing answers with a status and no body.
func writeNothing(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}

// writeJSON answers with a status and v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}
