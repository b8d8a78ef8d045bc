package ratelimit

import (
	"net/http"
	"strconv"
	"time"
)

// The header fields of draft-ietf-httpapi-ratelimit-headers in the canonical form of http.Header.
const (
	headerLimit  = "Ratelimit"
	headerPolicy = "Ratelimit-Policy"
)

// appendPolicy appends a quota policy item. The quota is the capacity of the bucket, the window is
// the time in which an empty bucket fills. An unlimited policy has no item. If nothing is allowed,
// the quota is 0.
func appendPolicy(to []byte, s Scope, l Limit) []byte {
	if l.IsUnlimited() {
		return to
	}
	to = appendItem(to, s, ";q=", l.Capacity())
	if refill := l.Refill(); refill > 0 {
		to = strconv.AppendInt(append(to, ";w="...), seconds(refill), 10)
	}
	return to
}

// appendLevel appends a service limit item: the remaining tokens and the seconds until the next
// one.
func appendLevel(to []byte, s Scope, l Limit, level BucketState) []byte {
	if l.IsUnlimited() || level.Unknown {
		return to
	}
	to = appendItem(to, s, ";r=", level.Remaining)
	if level.Next > 0 {
		to = strconv.AppendInt(append(to, ";t="...), seconds(level.Next), 10)
	}
	return to
}

func appendItem(to []byte, s Scope, parameter string, n int) []byte {
	if len(to) > 0 {
		to = append(to, ", "...)
	}
	to = append(append(append(to, '"'), s.String()...), '"')
	return strconv.AppendInt(append(to, parameter...), int64(n), 10)
}

// seconds rounds up to whole seconds, so that clients do not retry too early.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// setHeaders writes the RateLimit fields of the response.
func (d *Decision) setHeaders(h http.Header, q Query) {
	if d.Verdict == Undecided {
		return // the levels are not known
	}
	policy := d.applied.tenant
	buf := appendLevel(make([]byte, 0, 64), TenantScope, d.Policy.Tenant, d.Tenant)
	if q.Caller != "" {
		policy = d.applied.header
		buf = appendLevel(buf, CallerScope, d.Policy.Caller, d.Caller)
	}
	values := [2]string{policy, string(buf)} // one allocation for both
	if policy != "" {
		h[headerPolicy] = values[0:1:1]
	}
	if len(buf) > 0 {
		h[headerLimit] = values[1:2:2]
	}
}
