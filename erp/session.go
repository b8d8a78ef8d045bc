package erp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// The names of the session cookie. Browsers accept the first only from the host itself over TLS, so
// that another school under the same domain cannot set it.
const (
	secureCookie = "__Host-session"
	plainCookie  = "session"
)

// errNoToken means that a request has no session.
var errNoToken = errors.New("no token")

// WithViewer serves requests with next, with their viewer in the context. The viewer is that of the
// session token in the header Authorization: Bearer or in the cookie, or of
// [HandlerConfig].Anonymous. An invalid token is refused with 401, or with 403 if it belongs to
// another school. A request that may change something and comes from another site's page is refused
// with 403.
//
// Use it for the program's own pages; the routes of the module have it already. It belongs behind
// [tenanthttp.Handler]. The session of the viewer may be over: the statements of stores check it.
func (m *Module) WithViewer(next http.Handler) http.Handler {
	return m.SameOrigin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		viewer, err := m.viewer(r)
		if err != nil {
			m.refuseToken(w, r, err)
			return
		}
		m.cfg.Hooks.recognised(r.Context(), viewer)
		next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), viewer)))
	}))
}

// viewer returns the viewer of r. Of several tokens the first valid one counts, so that a cookie
// that another host has set does not prevent access.
func (m *Module) viewer(r *http.Request) (Viewer, error) {
	err := errNoToken
	for _, token := range m.tokens(r) {
		viewer, refused := m.open(r.Context(), token)
		if refused == nil {
			return viewer, nil
		}
		if errors.Is(refused, tenanttoken.ErrForeignTenant) || errors.Is(err, errNoToken) { // the most specific error
			err = refused
		}
	}
	if !errors.Is(err, errNoToken) {
		return Viewer{}, err
	}
	if viewer, ok := m.cfg.Anonymous(r); ok {
		return viewer, nil
	}
	return Viewer{}, err
}

// maxTokens limits the work that a request can cause. It is more than the number of cookies that a
// browser stores for a domain with all its hosts, so that another host cannot set so many that the
// valid one is not reached.
const maxTokens = 256

// tokens returns the tokens of the Authorization header or, without one, of the cookies.
func (m *Module) tokens(r *http.Request) []string {
	tokens := tenanthttp.BearerToken()(r)
	if len(tokens) == 0 {
		tokens = tenanthttp.CookieToken(m.cookieName(r))(r)
	}
	return tokens[:min(len(tokens), maxTokens)]
}

// open returns the viewer of a token that issue has made for the school of ctx.
func (m *Module) open(ctx context.Context, token string) (Viewer, error) {
	if m.cfg.Signer == nil {
		return Viewer{}, tenanttoken.ErrBadToken
	}
	session, err := m.cfg.Signer.OpenSession(ctx, token)
	if err != nil {
		return Viewer{}, err
	}
	viewer, ok := parseSession(session)
	if !ok {
		return Viewer{}, tenanttoken.ErrBadToken // a token that the program signed for another purpose
	}
	return viewer, nil
}

// issue returns a token for the school of ctx.
func (m *Module) issue(ctx context.Context, v Viewer) (string, error) {
	return m.cfg.Signer.BindSession(ctx, v.session(), m.cfg.SessionTTL)
}

// session returns the content of a token.
func (v Viewer) session() string {
	return "erp." + strconv.FormatInt(v.UserID, 10) + "." + strconv.FormatInt(v.Generation, 10) + "." + string(v.Role)
}

// parseSession is the inverse of session. A session always has a user.
func parseSession(s string) (Viewer, bool) {
	s, ok := strings.CutPrefix(s, "erp.")
	user, s, _ := strings.Cut(s, ".")
	generation, role, _ := strings.Cut(s, ".")
	v := Viewer{Role: Role(role)}
	var err, err2 error
	v.UserID, err = strconv.ParseInt(user, 10, 64)
	v.Generation, err2 = strconv.ParseInt(generation, 10, 64)
	return v, ok && err == nil && err2 == nil && v.UserID > 0 && v.Role.valid()
}

// refuseToken refuses a request without a valid session, and deletes its cookie.
func (m *Module) refuseToken(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errNoToken):
		err = tenanthttp.ErrNoSession
	case errors.Is(err, ErrSessionOver):
		m.cfg.Hooks.tokenRefused(r.Context(), TokenRefusedData{Err: ErrSessionOver})
		err = tenanttoken.ErrTokenExpired // the answer to the client
	default:
		m.cfg.Hooks.tokenRefused(r.Context(), TokenRefusedData{Err: err})
	}
	if len(r.CookiesNamed(m.cookieName(r))) > 0 {
		m.clearCookie(w, r)
	}
	tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: err})
}

func (m *Module) cookieName(r *http.Request) string {
	if m.cfg.Secure(r) {
		return secureCookie
	}
	return plainCookie
}

func (m *Module) setCookie(w http.ResponseWriter, r *http.Request, token string) {
	m.writeCookie(w, r, token, int(m.cfg.SessionTTL.Seconds()))
}

func (m *Module) clearCookie(w http.ResponseWriter, r *http.Request) { m.writeCookie(w, r, "", -1) }

func (m *Module) writeCookie(w http.ResponseWriter, r *http.Request, token string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: m.cookieName(r), Value: token, Path: "/", MaxAge: maxAge,
		Secure: m.cfg.Secure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
