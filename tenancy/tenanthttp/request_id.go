package tenanthttp

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"

	"github.com/oryne/pgtenant/internal/text"
	"github.com/oryne/pgtenant/tenancy"
)

const (
	// RequestIDHeader is the header that request ids travel in, unless [RequestIDConfig] names another.
	RequestIDHeader = "X-Request-Id"

	// MaxRequestID is how long a request id can be, in bytes.
	MaxRequestID = 64
)

type requestIDKey struct{}

// requestIDContext carries the id without a second allocation.
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

// RequestID returns the id of the request that ctx belongs to, or "" where it has none. It holds only what
// [ValidateRequestID] allows, so that it can be written to any log as it is.
func RequestID(ctx context.Context) string {
	c, ok := ctx.Value(requestIDKey{}).(*requestIDContext)
	if !ok {
		return ""
	}
	return c.id
}

// NewRequestIDContext returns a child of ctx with the request id, for what does not come by HTTP, such as a job. An id
// that is not allowed is the [tenancy.FieldError] of [ValidateRequestID].
func NewRequestIDContext(ctx context.Context, id string) (context.Context, error) {
	if err := ValidateRequestID(id); err != nil {
		return nil, err
	}
	return &requestIDContext{Context: ctx, id: id}, nil
}

// ValidateRequestID returns a [tenancy.FieldError] unless id is 1 to [MaxRequestID] letters, digits, and of "-_.:=+". What the
// usual proxies and trace libraries make is allowed; nothing is that ends a comment, a line, or a value in a log.
func ValidateRequestID(id string) error {
	switch {
	case id == "":
		return &tenancy.FieldError{Field: "request id", Rule: "is empty"}
	case len(id) > MaxRequestID:
		return &tenancy.FieldError{Field: "request id", Value: text.Clip(id), Rule: "is longer than 64 bytes"}
	}
	for i := range len(id) {
		if !inRequestID[id[i]] {
			return &tenancy.FieldError{Field: "request id", Value: id, Rule: `has other characters than letters, digits and "-_.:=+"`}
		}
	}
	return nil
}

var inRequestID = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:=+") {
		set[c] = true
	}
	return set
}()

// RequestIDConfig says where request ids come from. The zero value makes one for each request.
type RequestIDConfig struct {
	// Proxies are those whose word on the id of a request counts. Who chooses an id can make two requests look like one,
	// so have the proxy replace what it gets from outside. Default: none, and whatever a request brings is replaced.
	Proxies *Proxies

	// Header is where an id is read from and sent back in. Default: [RequestIDHeader].
	Header string

	// New returns an id for a request that brings none. It must be safe for concurrent use. What [ValidateRequestID] does
	// not allow is not taken. Default: 26 random letters and digits, 130 bits.
	New func() string
}

// RequestIDHandler gives each request an id, for [RequestID], [LogHandler] and [Tags], and sends it back with the response.
// It goes in front of [Handler], so that refusals have one too. An id that is not allowed is replaced and no reason to
// refuse. It panics if next is nil.
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
	if ids := r.Header[h.cfg.Header]; len(ids) == 1 && h.cfg.Proxies.trusts(remoteAddr(r)) && ValidateRequestID(ids[0]) == nil {
		return ids[0]
	}
	if h.cfg.New != nil {
		if id := h.cfg.New(); ValidateRequestID(id) == nil {
			return id
		}
	}
	return rand.Text()
}
