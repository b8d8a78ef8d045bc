package tenanthttp

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Problem is a problem detail (RFC 9457), sent as application/problem+json. The program's own
// handlers may use it too.
type Problem struct {
	Type       string         `json:"type,omitempty"`   // a URI; empty means about:blank: the status describes the problem
	Title      string         `json:"title"`            // the same for every occurrence; default: the status text
	Status     int            `json:"status"`           // default: 500
	Detail     string         `json:"detail,omitempty"` // describes this occurrence, for people
	Fields     []ProblemField `json:"errors,omitempty"` // the inputs that were refused
	RetryAfter time.Duration  `json:"-"`                // sent as Retry-After in whole seconds when positive
}

// ProblemField names one input that was refused.
type ProblemField struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Respond sends the problem as the response: status, headers and body. The response has
// Cache-Control: no-store, because the target of a host can change.
func (p Problem) Respond(w http.ResponseWriter) {
	p.Status = cmp.Or(p.Status, http.StatusInternalServerError)
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	h := w.Header()
	h.Del("Content-Length") // of a response that the handler has prepared
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter-1)/time.Second + 1
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // an error means that the client has gone
}
