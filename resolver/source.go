package resolver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Source finds in a request what it is for. It is safe for concurrent use.
type Source interface {
	// Find returns what r names, or false if it says nothing. It is an error if what r says names nobody, such as
	// [tenancy.ErrUnknownHost], or too much, [tenancy.ErrDisagree]. It does not change r.
	Find(r *http.Request) (found Found, ok bool, err error)
}

// Found is what a [Source] has found.
type Found struct {
	Target  tenanthttp.Target
	Request *http.Request // the request to serve, without what named the target; nil: as it is
	Yields  bool          // Target holds only if no other source speaks
}

// SourceFunc is a function as a [Source].
type SourceFunc func(r *http.Request) (Found, bool, error)

// Find calls f.
func (f SourceFunc) Find(r *http.Request) (Found, bool, error) { return f(r) }

// Host names the target by the request's Host, on each request: an unknown host is refused, whatever else the request
// says, and the public site is what other sources must name too. See [TenantHost].
func Host(lookup Lookup) Source {
	return SourceFunc(func(r *http.Request) (Found, bool, error) {
		target, err := lookup(r.Context(), r.Host)
		return Found{Target: target}, true, err
	})
}

// TenantHost is [Host], but on a public host the other sources decide, and it is the public site if none of them speaks: for
// paths or headers on the platform's own host, beside the hosts of tenants.
func TenantHost(lookup Lookup) Source {
	return SourceFunc(func(r *http.Request) (Found, bool, error) {
		target, err := lookup(r.Context(), r.Host)
		return Found{Target: target, Yields: target.Public()}, true, err
	})
}

// Header names the target by a header of that name; without it, it says nothing. One that comes twice is
// [tenancy.ErrDisagree], also with the same value: nobody who means well sends it so, and a proxy may look at the other one.
//
// Whoever sends the request writes its headers. Alone it is for callers that may name any tenant, such as services of the
// platform behind a gateway that takes the header off what comes from outside. It panics if name is not one that a header
// can have, or Host, which is none to net/http.
func Header(name string, lookup Lookup) Source {
	key := http.CanonicalHeaderKey(name)
	if key == "" || key == "Host" || strings.Trim(key, headerBytes) != "" {
		panic(fmt.Sprintf("resolver: %q cannot name a header", name))
	}
	return Func(func(r *http.Request) (string, bool, error) {
		values := r.Header[key]
		if len(values) > 1 {
			return "", false, fmt.Errorf("%w: header %q comes %d times", tenancy.ErrDisagree, key, len(values))
		}
		if len(values) == 0 {
			return "", false, nil
		}
		return values[0], true, nil
	}, lookup)
}

const headerBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Func names the target by a key that a function finds, such as a claim of a token that has been verified. The function
// returns false if the request says nothing. ctx of the lookup is the request's.
func Func(key func(r *http.Request) (key string, ok bool, err error), lookup Lookup) Source {
	return SourceFunc(func(r *http.Request) (Found, bool, error) {
		k, ok, err := key(r)
		if err != nil || !ok {
			return Found{}, false, err
		}
		target, err := lookup(r.Context(), k)
		return Found{Target: target}, true, err
	})
}

// PathPrefix names the target by the segment of the path that comes after prefix, such as the slug "acme" in
// "/t/acme/students" after "/t/". It takes both off: what is served has the path "/students", or "/" where nothing follows.
// Nothing is redirected. Another path says nothing. A segment that is escaped names nobody. It panics if prefix does
// not begin and end with a slash, or would be escaped itself.
func PathPrefix(prefix string, lookup Lookup) Source {
	if !strings.HasPrefix(prefix, "/") || !strings.HasSuffix(prefix, "/") || (&url.URL{Path: prefix}).EscapedPath() != prefix {
		panic(fmt.Sprintf("resolver: path prefix %q does not begin and end with a slash, or is escaped", prefix))
	}
	return SourceFunc(func(r *http.Request) (Found, bool, error) {
		after, ok := strings.CutPrefix(r.URL.Path, prefix)
		if !ok {
			return Found{}, false, nil
		}
		key, rest, _ := strings.Cut(after, "/")
		escaped, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix+key)
		if !ok || escaped != "" && escaped[0] != '/' {
			return Found{}, true, tenancy.ErrUnknownHost
		}
		target, err := lookup(r.Context(), key)
		return Found{Target: target, Request: withPath(r, "/"+rest, escaped)}, true, err
	})
}

// withPath returns a copy of r with another path.
func withPath(r *http.Request, path, escaped string) *http.Request {
	u := *r.URL
	u.Path, u.RawPath = path, ""
	if escaped != "" && u.EscapedPath() != escaped {
		u.RawPath = escaped
	}
	served := r.WithContext(r.Context())
	served.URL = &u
	return served
}
