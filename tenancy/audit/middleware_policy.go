package audit

import (
	"net/http"
	"sync/atomic"
	"time"
)

// RequestRecord describes a request and its outcome.
type RequestRecord struct {
	Request  *http.Request // as the middleware received it
	Status   int           // of the response; 0 before the request is served
	Duration time.Duration // time to serve the request
}

// Policy reports whether a request is logged. Programs compose policies and add their own. A policy
// must be safe for concurrent use.
type Policy func(x RequestRecord) bool

// All logs every request.
func All(RequestRecord) bool { return true }

// Writes logs requests that may change data: all methods except GET, HEAD, OPTIONS and TRACE.
func Writes(x RequestRecord) bool {
	switch x.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "":
		return false
	}
	return true
}

// Failures logs requests with a status of 400 or above. It is false for a request that was not
// served yet.
func Failures(x RequestRecord) bool { return x.Status >= http.StatusBadRequest }

// Sample logs the first of every n requests. It counts its calls: within [Any] or [Every] it sees
// only the requests that the policies before it leave open. If n is below 2, it logs all.
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

// Any logs a request if one of the policies does. It calls them in order and stops at the first
// that returns true.
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

// Every logs a request if all policies do. It calls them in order and stops at the first that
// returns false.
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
