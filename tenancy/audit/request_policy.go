package audit

import (
	"net/http"
	"sync/atomic"
	"time"
)

// RequestRecord is a request and what came of it.
type RequestRecord struct {
	Request  *http.Request // as it came to the middleware
	Status   int           // of the response; 0 before the request is served
	Duration time.Duration // that it took to serve
}

// Policy reports whether a request is logged. Policies are functions, so that a program composes
// them and adds its own. They must be safe for concurrent use.
type Policy func(x RequestRecord) bool

// All logs every request.
func All(RequestRecord) bool { return true }

// Writes logs requests that may change something: all methods but GET, HEAD, OPTIONS and TRACE.
func Writes(x RequestRecord) bool {
	switch x.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "":
		return false
	}
	return true
}

// Failures logs requests that were answered with a status of 400 and above. Before they are served
// none has failed.
func Failures(x RequestRecord) bool { return x.Status >= http.StatusBadRequest }

// Sample logs one request of n, the first of each n. It counts on each call: where it is one of
// several policies it is asked only about what those before it have left. n below 2 logs all.
func Sample(n int) Policy {
	if n < 2 {
		return All
	}
	var count atomic.Uint64
	return func(RequestRecord) bool { return (count.Add(1)-1)%uint64(n) == 0 }
}

// Slow logs requests that took d or longer.
func Slow(d time.Duration) Policy {
	return func(x RequestRecord) bool { return x.Duration >= d }
}

// Any logs what one of the policies logs. They are asked from the first on, up to one that says
// yes.
func Any(policies ...Policy) Policy {
	return func(x RequestRecord) bool {
		for _, p := range policies {
			if p(x) {
				return true
			}
		}
		return false
	}
}

// Every logs what all of the policies log. They are asked from the first on, up to one that says
// no.
func Every(policies ...Policy) Policy {
	return func(x RequestRecord) bool {
		for _, p := range policies {
			if !p(x) {
				return false
			}
		}
		return true
	}
}
