package audit

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// MiddlewareConfig says which requests are logged, and how.
type MiddlewareConfig struct {
	// Policy says which requests are logged. It is asked after a request was served. Default: [All].
	Policy Policy

	// Required says which requests must not be served unlogged, whatever Policy says. It is asked
	// before: there is no Status and no Duration yet. Where the log can take nothing, as its queue and
	// its spill are full or it is closed, such a request is refused with 503. Default: none, and what
	// cannot be logged is served and counted, see [Status].Dropped.
	Required Policy

	// Proxies know the address of the client. Default: nil, it is who connected.
	Proxies *tenanthttp.Proxies

	// Actor names who acts, where that is known before the handlers behind; they may say it later
	// ([SetActor]). Default: nobody.
	Actor func(r *http.Request) string

	// RequestID names the request, as other logs do. Default: its X-Request-Id, where that is 1 to 128
	// letters, digits, "-", "_", "." and ":", else a new random one.
	RequestID func(r *http.Request) string

	// Path says which path to log: that of a request may hold secrets, which the route's pattern does
	// not. Default: the path of the URL, without the query, which is never logged.
	Path func(r *http.Request) string
}

// Middleware logs the requests that next serves, as [SchemaAccess] with method, host, path, status
// and duration, and makes their contexts name the caller ([FromContext]). It belongs behind
// [tenanthttp.Handler], on the tenants' site as on the public one, and in front of what
// authenticates. A handler that panics is logged with status 500.
//
// Under [Block] a request that is not Required waits for room in the log after it was served, until
// its context ends.
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
	defer v.end() // also of a panic in what the config brings: the place in the queue is given back
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

// unlogged is the answer to a request that must be logged and cannot be.
var unlogged = tenanthttp.Problem{
	Status: http.StatusServiceUnavailable, Title: "Cannot log", Detail: "Try again soon.", RetryAfter: 5 * time.Second,
}

// pendingRequest is a request on its way: context, response and what is known, in one allocation.
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

// end logs the request, also when the handler panics or ends its goroutine.
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
	_ = v.log.put(v.request.Context(), &e) // is counted
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
	if values := r.Header["X-Request-Id"]; len(values) == 1 && validRequestID(values[0]) {
		return values[0]
	}
	return newRequestID()
}

// newRequestID returns 32 hexadecimal digits. Ids are to differ, not to be secret: the generator of
// math/rand/v2 is seeded by the system and costs no call of it.
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
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' &&
			c != ':' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 128
}

const maxPath = 2048

// appendDetails appends those of a request as canonical JSON.
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
