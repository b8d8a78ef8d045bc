package audit

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/oryne/pgtenant/internal/requestid"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// MiddlewareConfig configures [Log.Middleware].
type MiddlewareConfig struct {
	// Policy selects the requests to log. It is called after a request was served. Default: [All].
	Policy Policy

	// Required selects requests that must not be served without being logged, whatever Policy selects.
	// It is called before a request is served, so Status and Duration are not set. If the log is full
	// or closed, such a request is refused with status 503. Default: none; a request that cannot be
	// logged is then served and counted in [Status].Dropped.
	Required Policy

	// Proxies determine the address of the client. Default: nil, the address of the connection.
	Proxies *tenanthttp.Proxies

	// Actor returns who acts, if that is known before the inner handlers run. They can set it later
	// with [SetActor]. Default: no actor.
	Actor func(r *http.Request) string

	// RequestID returns the id of the request, as in other logs. Default: that of
	// [tenanthttp.RequestID]; without one, the request's X-Request-Id, if that has 1 to 128 letters,
	// digits and characters of "-_.:=+"; else a new random id. A client can choose its X-Request-Id.
	// [tenanthttp.RequestIDHandler] replaces it unless one of its proxies has sent it.
	RequestID func(r *http.Request) string

	// Path returns the path to log. The path of a request may contain secrets; the pattern of its
	// route does not. Default: the path of the URL without the query, which is never logged.
	Path func(r *http.Request) string
}

// Middleware logs the requests that next serves as [SchemaAccess], with method, host, path, status
// and duration, and adds the caller to their contexts ([FromContext]). Install it inside
// [tenanthttp.Handler], on the tenant site and the public site, and outside of authentication. A
// handler that panics is logged with status 500.
//
// Under [Block], a request that is not Required waits for room in the log after it was served,
// until its context ends.
func (l *Log) Middleware(next http.Handler, cfg MiddlewareConfig) http.Handler {
	if cfg.Policy == nil {
		cfg.Policy = All
	}
	if cfg.RequestID == nil {
		cfg.RequestID = requestID
	}
	return &middleware{log: l, next: next, cfg: cfg}
}

type middleware struct {
	log  *Log
	next http.Handler
	cfg  MiddlewareConfig
}

func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	required := m.cfg.Required != nil && m.cfg.Required(RequestRecord{Request: r})
	if required {
		if err := m.log.queue.reserve(); err != nil {
			m.log.stats.refused.Add(1)
			tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: err, Problem: unlogged})
			return
		}
	}
	v := &pendingRequest{middleware: m, request: r, required: required, begin: time.Now(), path: r.URL.Path}
	v.ResponseWriter = w
	v.Context = r.Context()
	defer v.end() // also if a function of the config panics: it releases the reserved place
	v.caller = Caller{IP: m.cfg.Proxies.ClientIP(r), RequestID: m.cfg.RequestID(r)}
	if m.cfg.Path != nil {
		v.path = m.cfg.Path(r)
	}
	if m.cfg.Actor != nil {
		v.caller.Actor = m.cfg.Actor(r)
	}
	m.next.ServeHTTP(&v.response, r.WithContext(&v.callerContext))
	v.served = true
}

// unlogged is the response to a Required request that cannot be logged.
var unlogged = tenanthttp.Problem{
	Status: http.StatusServiceUnavailable, Title: "Cannot log", Detail: "Try again soon.", RetryAfter: 5 * time.Second,
}

// pendingRequest is a request being served: context, response and log fields in one allocation.
type pendingRequest struct {
	*middleware
	callerContext
	response
	request  *http.Request
	path     string
	begin    time.Time
	required bool
	served   bool // the handler has returned
}

// end logs the request, also if the handler panics or calls runtime.Goexit.
func (v *pendingRequest) end() {
	x := RequestRecord{Request: v.request, Status: v.final(v.served), Duration: time.Since(v.begin)}
	if !v.required && !v.cfg.Policy(x) {
		return
	}
	e := v.entry(x)
	if v.required {
		if v.log.queue.putReserved(&e) {
			v.log.stats.recorded.Add(1)
		} else {
			v.log.stats.dropped.Add(1)
		}
		return
	}
	_ = v.log.put(v.request.Context(), &e) // put counts dropped entries
}

func (v *pendingRequest) entry(x RequestRecord) entry {
	caller := v.get()
	e := entry{
		action:    SchemaAccess,
		actor:     caller.Actor,
		ip:        caller.IP,
		requestID: caller.RequestID,
		at:        v.log.cfg.Clock().UnixMicro(),
		request: requestRecord{
			method:   v.request.Method,
			path:     v.path,
			host:     v.request.Host,
			status:   x.Status,
			duration: x.Duration,
		},
	}
	ctx := v.request.Context()
	if t, ok := tenancy.FromContext(ctx); ok {
		e.tenant, e.slug, e.schema = t.ID, t.Slug, t.Schema
	} else {
		e.schema, _ = schemactx.FromContext(ctx)
	}
	return e
}

// requestID is the default of [MiddlewareConfig].RequestID.
func requestID(r *http.Request) string {
	if id := tenanthttp.RequestID(r.Context()); id != "" {
		return id
	}
	if values := r.Header["X-Request-Id"]; len(values) == 1 && validRequestID(values[0]) {
		return values[0]
	}
	return newRequestID()
}

// newRequestID returns 32 hexadecimal digits. Ids must be unique, not secret: math/rand/v2 is
// seeded by the system and needs no system call.
func newRequestID() string {
	var b [16]byte
	var text [32]byte
	binary.BigEndian.PutUint64(b[:8], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	hex.Encode(text[:], b[:])
	return string(text[:])
}

func validRequestID(s string) bool {
	for i := range len(s) {
		if !requestid.Allowed(s[i]) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 128
}

const maxPath = 2048

// appendDetails appends the details of a request as canonical JSON.
func (x *requestRecord) appendDetails(b []byte) []byte {
	b = append(b, `{"duration_us":`...)
	b = strconv.AppendInt(b, max(0, x.duration.Microseconds()), 10)
	b = append(b, `,"host":`...)
	b = appendString(b, cut(clean(x.host), MaxText))
	b = append(b, `,"method":`...)
	b = appendString(b, cut(clean(x.method), MaxText))
	b = append(b, `,"path":`...)
	b = appendString(b, cut(clean(x.path), maxPath))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(x.status), 10)
	return append(b, '}')
}
