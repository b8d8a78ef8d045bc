package tenanthttp

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// TokenSource returns the tokens that a request brings for a session, which are none, one, or several: a browser sends
// two cookies of one name where another host of the same domain has set one as well.
type TokenSource func(r *http.Request) []string

// maxTokens bounds the work that a request can ask for. It is more than the cookies that browsers keep for a domain with all
// its hosts (180 in Chrome and Firefox): with fewer, a host could set so many in front that the good one is not looked at.
const maxTokens = 256

// CookieToken takes the token from the cookie of that name. A name that begins with __Host- is best: a browser takes such
// a cookie from the host itself only, over TLS, so that no other tenant's host can set it.
func CookieToken(name string) TokenSource {
	return func(r *http.Request) (tokens []string) {
		for _, c := range r.CookiesNamed(name) {
			tokens = append(tokens, c.Value)
		}
		return tokens
	}
}

// BearerToken takes the token from the header Authorization: Bearer (RFC 6750).
func BearerToken() TokenSource {
	return func(r *http.Request) (tokens []string) {
		for _, value := range r.Header.Values("Authorization") {
			if scheme, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
				tokens = append(tokens, strings.TrimSpace(token))
			}
		}
		return tokens
	}
}

type sessionKey struct{}

// SessionFromContext returns the session of the request that ctx belongs to, as [tenanttoken.Signer.BindSession] was given it, or
// false where no [RequireSession] is in front.
func SessionFromContext(ctx context.Context) (string, bool) {
	session, ok := ctx.Value(sessionKey{}).(string)
	return session, ok
}

// RequireSession serves with next the requests that bring a session of the site that they go to, and refuses all others,
// see [Refuse]: 401 without a token and for one that is forged or over, 403 for one of another tenant or the other kind
// of site. It belongs behind [Handler] and in front of what needs a session; a page to sign in on does without. Whether
// the session is still one, the program's store of sessions knows: next looks [SessionFromContext] up there.
//
// Of several tokens the first that is good counts: a cookie set by another host cannot lock anybody out. It panics if signer or source is
// nil.
func RequireSession(signer *tenanttoken.Signer, source TokenSource, next http.Handler) http.Handler {
	if signer == nil || source == nil {
		panic("tenanthttp: RequireSession without a signer or a source")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := requestSession(r, signer, source)
		if err != nil {
			Refuse(w, r, Refusal{Err: err})
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, session)))
	})
}

func requestSession(r *http.Request, signer *tenanttoken.Signer, source TokenSource) (string, error) {
	tokens := source(r)
	refused := ErrNoSession
	for _, token := range tokens[:min(len(tokens), maxTokens)] {
		session, err := signer.OpenSession(r.Context(), token)
		if err == nil {
			return session, nil
		}
		if errors.Is(err, tenanttoken.ErrForeignTenant) || errors.Is(refused, ErrNoSession) { // what says most
			refused = err
		}
	}
	return "", refused
}
