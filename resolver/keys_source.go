package resolver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Source finds the target of a request by one key. It must be safe for concurrent use.
type Source interface {
	// Find returns the target that r names, or false if r does not have the key. If the key is
	// unknown, the error is [tenancy.ErrUnknownHost]; if r has several keys,
	// [tenancy.ErrAmbiguousTenant]. Find does not change r.
	Find(r *http.Request) (found Found, ok bool, err error)
}

// Found is the result of a [Source].
type Found struct {
	Target   tenanthttp.Target
	Request  *http.Request // the request to serve, without the key; nil: the request as it is
	Fallback bool          // Target is used only if no other source finds one
}

// SourceFunc is a function as a [Source].
type SourceFunc func(r *http.Request) (Found, bool, error)

// Find calls f.
func (f SourceFunc) Find(r *http.Request) (Found, bool, error) { return f(r) }

// Host finds the target by the request's Host. An unknown host is refused, whatever other keys the
// request has. On a public host the target is the public site, and other sources must find the
// public site too. See [TenantHost].
func Host(lookup Lookup) Source {
	return SourceFunc(func(r *http.Request) (Found, bool, error) {
		target, err := lookup(r.Context(), r.Host)
		return Found{Target: target}, true, err
	})
}

// TenantHost is [Host], but on a public host the other sources decide: the target is the public
// site only if none of them finds one. Use it for paths or headers on the platform's own host,
// beside the hosts of tenants.
func TenantHost(lookup Lookup) Source {
	return SourceFunc(func(r *http.Request) (Found, bool, error) {
		target, err := lookup(r.Context(), r.Host)
		return Found{Target: target, Fallback: target.Public()}, true, err
	})
}

// Header finds the target by the value of a header. If the header is repeated, the error is
// [tenancy.ErrAmbiguousTenant], even if the values are equal: a proxy may have read the other
// value.
//
// The client chooses the headers of a request. Use Header without another source only for clients
// that may name any tenant, such as services of the platform behind a gateway that removes the
// header from outside requests. Header panics if name is not a valid header name, or is Host, which
// net/http does not keep among the headers.
func Header(name string, lookup Lookup) Source {
	key := http.CanonicalHeaderKey(name)
	if key == "" || key == "Host" || strings.Trim(key, headerBytes) != "" {
		panic(fmt.Sprintf("resolver: %q is not the name of a header", name))
	}
	return Func(func(r *http.Request) (string, bool, error) {
		values := r.Header[key]
		if len(values) > 1 {
			return "", false, fmt.Errorf("%w: header %q comes %d times", tenancy.ErrAmbiguousTenant, key, len(values))
		}
		if len(values) == 0 {
			return "", false, nil
		}
		return values[0], true, nil
	}, lookup)
}

const headerBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Func finds the target by a key that a function returns, such as a claim of a verified token. The
// function returns false if the request does not have the key. The lookup gets the request's
// context.
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

// PathPrefix finds the target by the path segment after prefix, such as the slug "acme" in
// "/t/acme/students" after "/t/". It removes both: the request that is served has the path
// "/students", or "/" if nothing follows. It does not redirect. A path without the prefix has no
// key. A segment with escapes is [tenancy.ErrUnknownHost]. PathPrefix panics if prefix does not
// begin and end with a slash, or contains characters that are escaped in a URL.
func PathPrefix(prefix string, lookup Lookup) Source {
	escapes := (&url.URL{Path: prefix}).EscapedPath() != prefix
	if !strings.HasPrefix(prefix, "/") || !strings.HasSuffix(prefix, "/") || escapes {
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
