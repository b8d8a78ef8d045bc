package tenanthttp

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Problem is a refusal in the form of RFC 9457, application/problem+json. Handlers of the
// host program may use it for their own.
type Problem struct {
	Type       string         `json:"type,omitempty"`   // a URI; empty means about:blank, told by Status alone
	Title      string         `json:"title"`            // the same for every occurrence; default: the status text
	Status     int            `json:"status"`           // default: 500
	Detail     string         `json:"detail,omitempty"` // this occurrence, for people
	Fields     []ProblemField `json:"errors,omitempty"` // the inputs that were refused
	RetryAfter time.Duration  `json:"-"`                // sent as Retry-After in whole seconds when positive
}

// ProblemField names one input that was refused.
type ProblemField struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Respond sends the problem as the response: status, headers and body. The response is
// not to be cached: what a host stands for can change.
func (p Problem) Respond(w http.ResponseWriter) {
	p.Status = cmp.Or(p.Status, http.StatusInternalServerError)
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	h := w.Header()
	h.Del("Content-Length") // of what would have been sent
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter-1)/time.Second + 1
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone; there is nobody to tell
}
