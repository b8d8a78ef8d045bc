package tenanthttp

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// TokenSource returns the session tokens of a request: none, one, or several. A browser sends two
// cookies of one name if another host of the same domain has set one as well.
type TokenSource func(r *http.Request) []string

// maxTokens bounds the work for one request. Browsers keep at most 180 cookies for a domain with
// all its hosts (Chrome and Firefox). With a lower bound, another host could set so many cookies
// that the genuine one is never verified.
const maxTokens = 256

// CookieToken returns the tokens in the cookies of that name. Use a name that begins with __Host-:
// a browser accepts such a cookie from the host itself only, over TLS, so that no other tenant's
// host can set it.
func CookieToken(name string) TokenSource {
	return func(r *http.Request) (tokens []string) {
		for _, c := range r.CookiesNamed(name) {
			tokens = append(tokens, c.Value)
		}
		return tokens
	}
}

// BearerToken returns the tokens in the header Authorization: Bearer (RFC 6750).
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

// SessionFromContext returns the session of the request that ctx belongs to, with the value that
// [tenanttoken.Signer.BindSession] was given. It returns false without [RequireSession] in front.
func SessionFromContext(ctx context.Context) (string, bool) {
	session, ok := ctx.Value(sessionKey{}).(string)
	return session, ok
}

// RequireSession returns a handler that serves requests with a session of their own site with next.
// It refuses all others, see [Refuse]: with 401 if the token is missing, forged or expired, and
// with 403 if the session is of another tenant or of the other kind of site. It belongs behind
// [Handler] and in front of all pages that need a session, but not in front of the sign-in page. It
// does not know whether the program has ended a session: next has to look [SessionFromContext] up
// in the program's store.
//
// Of several tokens the first valid one counts, so that a cookie of another host cannot lock a user
// out. RequireSession panics if signer or source is nil.
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
		if errors.Is(err, tenanttoken.ErrForeignTenant) || errors.Is(refused, ErrNoSession) { // the most specific reason
			refused = err
		}
	}
	return "", refused
}
