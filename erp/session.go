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

// Names of the session's cookie. A browser takes the first only from the host itself over TLS, so that no other school
// under the same domain can set it.
const (
	secureCookie = "__Host-session"
	plainCookie  = "session"
)

// errNoToken is a request without a session.
var errNoToken = errors.New("no token")

// WithViewer serves with next the requests that have a viewer, in whose context it is: by the token of a session, in the
// header Authorization: Bearer or the cookie, else by [HandlerConfig].Anonymous. A token that is not good is refused,
// with 401, or with 403 if it is another school's. So is, with 403, a request that may change something and that
// another site has made a browser send. It is for the program's own pages; the routes of the module have it already.
//
// A viewer may be one whose session is over: what next reads through a store finds out. It belongs behind
// [tenanthttp.Handler].
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

// viewer returns who has sent r. Of several tokens the first that is good counts: a cookie that another host has set can
// lock nobody out.
func (m *Module) viewer(r *http.Request) (Viewer, error) {
	err := errNoToken
	for _, token := range m.tokens(r) {
		viewer, refused := m.open(r.Context(), token)
		if refused == nil {
			return viewer, nil
		}
		if errors.Is(refused, tenanttoken.ErrForeignTenant) || errors.Is(err, errNoToken) { // what says most
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

// maxTokens bounds the work that a request can ask for. It is more than the cookies that a browser keeps for a domain with
// all its hosts, so that another host cannot set so many that the good one is not looked at.
const maxTokens = 256

// tokens returns those of the Authorization header or, where it has none, of the cookies.
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
		return Viewer{}, tenanttoken.ErrBadToken // the program's own, which is none of ours
	}
	return viewer, nil
}

// issue returns a token for the school of ctx.
func (m *Module) issue(ctx context.Context, v Viewer) (string, error) {
	return m.cfg.Signer.BindSession(ctx, v.session(), m.cfg.SessionTTL)
}

// session is what a token says of a user.
func (v Viewer) session() string {
	return "erp." + strconv.FormatInt(v.UserID, 10) + "." + strconv.FormatInt(v.Generation, 10) + "." + string(v.Role)
}

// parseSession is the inverse of session. A session is always a user's.
func parseSession(s string) (Viewer, bool) {
	s, ours := strings.CutPrefix(s, "erp.")
	user, s, _ := strings.Cut(s, ".")
	generation, role, _ := strings.Cut(s, ".")
	v := Viewer{Role: Role(role)}
	var err, err2 error
	v.UserID, err = strconv.ParseInt(user, 10, 64)
	v.Generation, err2 = strconv.ParseInt(generation, 10, 64)
	return v, ours && err == nil && err2 == nil && v.UserID > 0 && v.Role.valid()
}

// refuseToken refuses a request without a session that is good, and takes the cookie away that brought it.
func (m *Module) refuseToken(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errNoToken):
		err = tenanthttp.ErrNoSession
	case errors.Is(err, ErrSessionOver):
		m.cfg.Hooks.tokenRefused(r.Context(), TokenRefusedData{Err: ErrSessionOver})
		err = tenanttoken.ErrTokenExpired // which is what its holder is told
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
