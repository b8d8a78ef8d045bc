package tenanthttp

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"

	"github.com/oryne/pgtenant/internal/requestid"
	"github.com/oryne/pgtenant/internal/text"
	"github.com/oryne/pgtenant/tenancy"
)

const (
	// RequestIDHeader is the header of request ids, unless [RequestIDConfig] names another.
	RequestIDHeader = "X-Request-Id"

	// MaxRequestID is the longest request id, in bytes.
	MaxRequestID = 64
)

type requestIDKey struct{}

// requestIDContext carries the id. context.WithValue would cost a second allocation.
type requestIDContext struct {
	context.Context
	id string
}

func (c *requestIDContext) Value(key any) any {
	if key == (requestIDKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// RequestID returns the id of the request that ctx belongs to, or "" if it has none. The id has
// only the characters that [ValidateRequestID] allows, so that any log can hold it as it is.
// RequestID does not allocate.
func RequestID(ctx context.Context) string {
	c, ok := ctx.Value(requestIDKey{}).(*requestIDContext)
	if !ok {
		return ""
	}
	return c.id
}

// NewRequestIDContext returns a child of ctx with the request id, for work that does not come by
// HTTP, such as a job. The error is that of [ValidateRequestID].
func NewRequestIDContext(ctx context.Context, id string) (context.Context, error) {
	if err := ValidateRequestID(id); err != nil {
		return nil, err
	}
	return &requestIDContext{Context: ctx, id: id}, nil
}

// ValidateRequestID returns a [tenancy.FieldError] unless id is 1 to [MaxRequestID] letters, digits
// and characters of "-_.:=+". The ids of common proxies and trace libraries are valid. Characters
// that could end a comment, a line or a value in a log are not.
func ValidateRequestID(id string) error {
	switch {
	case id == "":
		return &tenancy.FieldError{Field: "request_id", Rule: "is empty"}
	case len(id) > MaxRequestID:
		return &tenancy.FieldError{Field: "request_id", Value: text.Clip(id), Rule: "is longer than 64 bytes"}
	}
	for i := range len(id) {
		if !requestid.Allowed(id[i]) {
			return &tenancy.FieldError{
				Field: "request_id",
				Value: id,
				Rule:  `has other characters than letters, digits and "-_.:=+"`,
			}
		}
	}
	return nil
}

// RequestIDConfig says where request ids come from. The zero value makes a new one for each
// request.
type RequestIDConfig struct {
	// Proxies are the proxies whose request ids are kept. A client that chooses its id can make two
	// requests look like one, so the proxy has to replace the ids of clients. Default: none; the id of
	// every request is replaced.
	Proxies *Proxies

	// Header is the header from which an id is read and in which it is sent back. Default:
	// [RequestIDHeader].
	Header string

	// New returns the id of a request that has none. It is called concurrently. An id that
	// [ValidateRequestID] refuses is not used. Default: 26 random letters and digits, 130 bits.
	New func() string
}

// RequestIDHandler returns a handler that gives each request an id, for [RequestID], [LogHandler]
// and [Tags], and sends it back with the response. It belongs in front of [Handler], so that
// refusals have one too. An invalid id is replaced; the request is served.
// RequestIDHandler panics if next is nil.
func RequestIDHandler(next http.Handler, cfg RequestIDConfig) http.Handler {
	if next == nil {
		panic("tenanthttp: RequestIDHandler without a handler")
	}
	cfg.Header = http.CanonicalHeaderKey(cmp.Or(cfg.Header, RequestIDHeader))
	return &requestIDHandler{next: next, cfg: cfg}
}

type requestIDHandler struct {
	next http.Handler
	cfg  RequestIDConfig
}

func (h *requestIDHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := h.id(r)
	w.Header()[h.cfg.Header] = []string{id}
	h.next.ServeHTTP(w, r.WithContext(&requestIDContext{Context: r.Context(), id: id}))
}

func (h *requestIDHandler) id(r *http.Request) string {
	if ids := r.Header[h.cfg.Header]; len(ids) == 1 && h.cfg.Proxies.trusts(remoteAddr(r)) &&
		ValidateRequestID(ids[0]) == nil {
		return ids[0]
	}
	if h.cfg.New != nil {
		if id := h.cfg.New(); ValidateRequestID(id) == nil {
			return id
		}
	}
	return rand.Text()
}
