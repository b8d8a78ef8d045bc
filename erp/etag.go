package erp

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// tag returns the version as a strong entity tag (RFC 9110, 8.8.3).
func (v Version) tag() string { return `"` + strconv.FormatInt(int64(v), 36) + `"` }

// parseTag is the inverse of tag. It accepts only what tag returns.
func parseTag(s string) (Version, bool) {
	inner, quoted := strings.CutPrefix(s, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	n, err := strconv.ParseInt(inner, 36, 64)
	v := Version(n)
	return v, quoted && closed && err == nil && n > 0 && v.tag() == s
}

// ifMatch returns the version that r wants to change. A change must name a version, or * for any
// version, so that no client overwrites a state that it has not seen.
func ifMatch(r *http.Request) (Version, error) {
	values := r.Header.Values("If-Match")
	if len(values) == 0 {
		return 0, &refusal{tenanthttp.Problem{
			Status: http.StatusPreconditionRequired, Detail: "Send If-Match with the ETag of what you have read.",
		}}
	}
	value := strings.TrimSpace(strings.Join(values, ","))
	if value == "*" {
		return AnyVersion, nil
	}
	if v, ok := parseTag(value); ok {
		return v, nil
	}
	return 0, ErrChanged // a tag that no version here has
}

// noneMatch reports whether If-None-Match of r contains the version, in the weak comparison.
func noneMatch(r *http.Request, v Version) bool {
	tag := v.tag()
	for _, value := range r.Header.Values("If-None-Match") {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}
