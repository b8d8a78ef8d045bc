package erp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// cookie returns the session cookie of a response.
func cookie(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1, "%d cookies with %d %s", len(cookies), w.Code, w.Body)
	return cookies[0]
}

func TestLogInAndOut(t *testing.T) {
	t.Parallel()
	f := setup(t)
	w := f.logIn(f.a, "ADMIN@Example.com", password)
	answer := decode[struct {
		Token string
		User  erp.User
	}](t, w)
	c := cookie(t, w)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, "admin@example.com", answer.User.Email, w.Body)
	require.Equal(t, erp.RoleAdmin, answer.User.Role, w.Body)
	require.Equal(t, c.Value, answer.Token, w.Body)
	assert.Equal(t, "session", c.Name, "cookie %s", c)
	assert.True(t, c.HttpOnly, "cookie %s", c)
	assert.False(t, c.Secure, "cookie %s", c)
	assert.Equal(t, http.SameSiteLaxMode, c.SameSite, "cookie %s", c)
	assert.Equal(t, "/", c.Path, "cookie %s", c)
	assert.Equal(t, 12*3600, c.MaxAge, "cookie %s", c)
	assert.Empty(t, c.Domain, "cookie %s", c)
	for _, header := range []string{
		"Cookie: session=" + c.Value, "Cookie: session=forged; session=" + c.Value, "Authorization: bearer " + c.Value,
	} {
		w := request(f.handler, "GET", f.a.Host, "/api/auth/me/", "", header)
		assert.Equal(t, http.StatusOK, w.Code, "%s: %d %s", header, w.Code, w.Body)
		assert.Contains(t, w.Body.String(), "admin@example.com", "%s: %d %s", header, w.Code, w.Body)
	}
	other := f.token(f.a, erp.RoleAdmin) // on another device
	w = request(f.handler, "POST", f.a.Host, "/api/auth/logout", "", "Cookie: session="+c.Value)
	gone := cookie(t, w)
	if assert.Equal(t, http.StatusNoContent, w.Code, "%d, cookie %s", w.Code, gone) &&
		assert.Equal(t, "session", gone.Name, "%d, cookie %s", w.Code, gone) &&
		assert.Less(t, gone.MaxAge, 0, "%d, cookie %s", w.Code, gone) {
		assert.Empty(t, gone.Value, "%d, cookie %s", w.Code, gone)
	}
	for _, token := range []string{c.Value, other} {
		w := request(f.handler, "GET", f.a.Host, "/api/students/", "", "Cookie: session="+token)
		expectProblem(t, "after logout", w, 401, "")
		gone := cookie(t, w)
		assert.Less(t, gone.MaxAge, 0, "cookie %s", gone)
	}
	w = request(f.handler, "POST", f.a.Host, "/api/auth/logout", "", "Cookie: session="+c.Value)
	assert.Equal(t, http.StatusNoContent, w.Code, "a second time: %d %s", w.Code, w.Body)
}

func TestOverTLSTheCookieIsTheHostsOwn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	h := f.serve(
		erp.Handler(
			f.db,
			erp.HandlerConfig{Signer: f.signer, Secure: func(*http.Request) bool { return true }, SessionTTL: time.Hour},
		),
	)
	c := cookie(
		t,
		request(h, "POST", f.a.Host, "/api/auth/login", `{"email": "admin@example.com", "password": "`+password+`"}`),
	)
	assert.Equal(t, "__Host-session", c.Name, "cookie %s", c)
	assert.True(t, c.Secure, "cookie %s", c)
	assert.True(t, c.HttpOnly, "cookie %s", c)
	assert.Equal(t, "/", c.Path, "cookie %s", c)
	assert.Empty(t, c.Domain, "cookie %s", c)
	assert.Equal(t, 3600, c.MaxAge, "cookie %s", c)
	w := request(h, "GET", f.a.Host, "/api/auth/me", "", "Cookie: __Host-session="+c.Value)
	assert.Equal(t, http.StatusOK, w.Code, w.Body)
	expectProblem(t, "a cookie that any host can set",
		request(h, "GET", f.a.Host, "/api/auth/me", "", "Cookie: session="+c.Value), 401, "")
}

// events collects the calls of the hooks.
type events struct {
	mu     sync.Mutex
	failed []erp.LoginFailedData
	tokens []error
	in     []erp.LoggedInData
}

func (e *events) hooks() erp.Hooks {
	return erp.Hooks{
		LoginFailed: func(_ context.Context, data erp.LoginFailedData) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.failed = append(e.failed, data)
		},
		TokenRefused: func(_ context.Context, data erp.TokenRefusedData) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.tokens = append(e.tokens, data.Err)
		},
		LoggedIn: func(_ context.Context, data erp.LoggedInData) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.in = append(e.in, data)
		},
	}
}

func TestInvalidTokensAreRefusedAndReported(t *testing.T) {
	t.Parallel()
	f := setup(t)
	seen := &events{}
	h := f.serve(erp.Handler(f.db, erp.HandlerConfig{Signer: f.signer, Hooks: seen.hooks()}))
	bind := func(school *tenancytest.Tenant, session string, ttl time.Duration) string {
		token, err := f.signer.BindSession(tenancy.NewContext(t.Context(), &school.Tenant), session, ttl)
		require.NoError(t, err)
		return token
	}
	for name, c := range map[string]struct {
		token  string
		status int
		err    error
	}{
		"of the other school":  {f.token(f.b, erp.RoleAdmin), 403, tenanttoken.ErrForeignTenant},
		"forged":               {f.token(f.a, erp.RoleAdmin) + "x", 401, tenanttoken.ErrBadToken},
		"over":                 {bind(f.a, "erp.1.0.admin", time.Nanosecond), 401, tenanttoken.ErrTokenExpired},
		"of another program":   {bind(f.a, "1.0.admin", 0), 401, tenanttoken.ErrBadToken},
		"of no user":           {bind(f.a, "erp.0.0.admin", 0), 401, tenanttoken.ErrBadToken},
		"of a visitor":         {bind(f.a, "erp.1.0.visitor", 0), 401, tenanttoken.ErrBadToken},
		"of a past generation": {bind(f.a, "erp.1.1.admin", 0), 401, erp.ErrSessionOver},
		"of a missing user":    {bind(f.a, "erp.99.0.admin", 0), 401, erp.ErrSessionOver},
	} {
		seen.tokens = nil
		w := request(h, "GET", f.a.Host, "/api/students/1", "", "Authorization: Bearer "+c.token)
		expectProblem(t, name, w, c.status, "")
		if assert.Len(t, seen.tokens, 1, "%s: told %v, want %v", name, seen.tokens, c.err) {
			assert.ErrorIs(t, seen.tokens[0], c.err, "%s: told", name)
		}
		if c.status == 401 {
			assert.NotEmpty(t, w.Header().Get("WWW-Authenticate"), "%s: no WWW-Authenticate", name)
		}
	}
	seen.tokens = nil
	expectProblem(t, "none", request(h, "GET", f.a.Host, "/api/students/1", ""), 401, "")
	assert.Nil(t, seen.tokens, "the hook got %v for a request without a token", seen.tokens)
}

func TestWrongPasswordAndUnknownAddressLookTheSame(t *testing.T) {
	t.Parallel()
	f := setup(t)
	seen := &events{}
	h := f.serve(erp.Handler(f.db, erp.HandlerConfig{Signer: f.signer, Hooks: seen.hooks()}))
	ctx := erp.NewContext(f.a.Context(), erp.System())
	users := erp.NewUsers(f.db)
	_, err := users.Create(ctx, erp.NewUser{Email: "none@example.com", Name: "No password", Role: erp.RoleTeacher})
	require.NoError(t, err)
	gone := f.addUser(t, f.a, erp.RoleTeacher)
	_, err = users.Update(ctx, gone.ID, erp.AnyVersion,
		erp.NewUser{Email: gone.Email, Name: "Gone", Role: gone.Role, Disabled: true})
	require.NoError(t, err)
	bodies := map[string]bool{}
	for _, credentials := range []string{
		`{"email": "admin@example.com", "password": "wrong password"}`,
		`{"email": "admin@example.com", "password": ""}`,
		`{"email": "admin@example.com", "password": "` + strings.Repeat("x", 10_000) + `"}`,
		`{"email": "nobody@example.com", "password": "` + password + `"}`,
		`{"email": "none@example.com", "password": ""}`,
		`{"email": "teacher@example.com", "password": "` + password + `"}`, // disabled
		`{"email": "' or true --", "password": "` + password + `"}`,
		`{"email": "\u0000", "password": "` + password + `"}`,
		`{}`,
	} {
		w := request(h, "POST", f.a.Host, "/api/auth/login", credentials)
		expectProblem(t, fmt.Sprintf("%.60s", credentials), w, 401, "")
		bodies[w.Body.String()] = true
		assert.Empty(t, w.Result().Cookies(), "%s sets a cookie", credentials)
	}
	assert.Len(t, bodies, 1, "answers differ")
	if assert.Len(t, seen.failed, 9, "hooks got %+v and %+v", seen.failed, seen.in) &&
		assert.Equal(t, "nobody@example.com", seen.failed[3].Email, "hooks got %+v and %+v", seen.failed, seen.in) &&
		assert.ErrorIs(t, seen.failed[3].Err, erp.ErrWrongPassword, "hooks got %+v and %+v", seen.failed, seen.in) {
		assert.Nil(t, seen.in, "hooks got %+v and %+v", seen.failed, seen.in)
	}
}

func TestGuessesOfOneAccountAreLimited(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, email := range []string{"admin@example.com", "nobody@example.com"} {
		for range 10 {
			w := f.logIn(f.a, email, "wrong password")
			require.Equal(t, 401, w.Code, w.Body)
		}
		w := f.logIn(f.a, strings.ToUpper(email), password)
		expectProblem(t, email, w, 429, "")
		assert.NotEmpty(t, w.Header().Get("Retry-After"), "no Retry-After")
	}
	w := f.logIn(f.b, "admin@example.com", password)
	assert.Equal(t, 200, w.Code, "the address at the other school: %d %s", w.Code, w.Body)
}

func TestChangingOnesPasswordEndsAllOtherSessions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.addUser(t, f.a, erp.RoleTeacher)
	before := f.token(f.a, erp.RoleTeacher)
	change := func(body string) *httptest.ResponseRecorder {
		return request(f.handler, "PUT", f.a.Host, "/api/auth/password", body, "Authorization: Bearer "+before)
	}
	expectProblem(t, "wrong", change(`{"current": "wrong", "new": "another password"}`), 401, "")
	expectProblem(t, "short", change(`{"current": "`+password+`", "new": "short"}`), 422, "password")
	w := change(`{"current": "` + password + `", "new": "another password"}`)
	after := decode[struct{ Token string }](t, w).Token
	require.Equal(t, 200, w.Code, w.Body)
	require.Equal(t, cookie(t, w).Value, after, w.Body)
	for token, status := range map[string]int{before: 401, after: 200} {
		w := request(f.handler, "GET", f.a.Host, "/api/students/", "", "Authorization: Bearer "+token)
		assert.Equal(t, status, w.Code, w.Body)
	}
	w = f.logIn(f.a, "teacher@example.com", "another password")
	assert.Equal(t, 200, w.Code, w.Body)
	w = f.logIn(f.a, "teacher@example.com", password)
	assert.Equal(t, 401, w.Code, "the old password: %d %s", w.Code, w.Body)
}

func TestCrossSiteChangesAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	session := "Cookie: session=" + f.token(f.a, erp.RoleAdmin)
	const student = `{"admission_number": "1", "first_name": "A", "last_name": "B"}`
	for _, c := range []struct {
		method, path, body, header string
		status                     int
	}{
		{"POST", "/api/students/", student, "Sec-Fetch-Site: cross-site", 403},
		{"POST", "/api/students/", student, "Sec-Fetch-Site: same-site", 403}, // the page of another school
		{"POST", "/api/students/", student, "Origin: https://evil.example", 403},
		{
			"POST", "/api/auth/login", `{"email": "admin@example.com", "password": "` + password + `"}`,
			"Sec-Fetch-Site: cross-site", 403,
		},
		{"POST", "/api/auth/logout", ``, "Sec-Fetch-Site: cross-site", 403},
		{"GET", "/api/students/", ``, "Sec-Fetch-Site: cross-site", 200}, // the other site cannot read the answer
		{"POST", "/api/students/", student, "Sec-Fetch-Site: same-origin", 201},
		{"DELETE", "/api/students/1", ``, "Origin: http://" + f.a.Host + ":8000", 204},
	} {
		w := request(f.handler, c.method, f.a.Host+":8000", c.path, c.body, session, c.header, "If-Match: *")
		assert.Equal(t, c.status, w.Code, "%s %s with %s: %d %s, want", c.method, c.path, c.header, w.Code, w.Body)
	}
}

func TestOldPasswordHashesAreReplacedAtLogin(t *testing.T) {
	t.Parallel()
	f := setup(t)
	old := erp.CheapHash(t.Context(), password)
	exec(t, f, f.a, "update users set password_hash = $1", old)
	token := f.token(f.a, erp.RoleAdmin)
	var now string
	require.NoError(t, f.db.QueryRow(f.a.Context(), "select password_hash from users").Scan(&now))
	assert.NotEqual(t, old, now, "hash")
	assert.True(t, strings.HasPrefix(now, "$argon2id$v=19$m=19456,t=2,p=1$"), "hash is %s", now)
	w := request(f.handler, "GET", f.a.Host, "/api/auth/me", "", "Authorization: Bearer "+token)
	assert.Equal(t, 200, w.Code, "the change has ended the session: %d %s", w.Code, w.Body)
	// The password can be changed in the same request in which its hash is outdated.
	exec(t, f, f.a, "update users set password_hash = $1", old)
	w = request(f.handler, "PUT", f.a.Host, "/api/auth/password",
		`{"current": "`+password+`", "new": "another password"}`, "Authorization: Bearer "+token)
	assert.Equal(t, 200, w.Code, w.Body)
}

func TestLoginNeedsASigner(t *testing.T) {
	t.Parallel()
	f := setup(t)
	token := f.token(f.a, erp.RoleAdmin)
	h := f.serve(erp.Handler(f.db, erp.HandlerConfig{}))
	expectProblem(t, "login", request(h, "POST", f.a.Host, "/api/auth/login", `{}`), 404, "")
	expectProblem(t, "token", request(h, "GET", f.a.Host, "/api/students/", "", "Authorization: Bearer "+token), 401, "")
	expectProblem(t, "nobody", request(h, "GET", f.a.Host, "/api/students/", ""), 401, "")
}

// A token that was signed with another program's key is refused.
func TestTokensOfAnotherKeyAreForged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other, err := tenanttoken.NewSigner(bytes.Repeat([]byte{2}, tenanttoken.MinKeyLen))
	require.NoError(t, err)
	h := f.serve(erp.Handler(f.db, erp.HandlerConfig{Signer: other}))
	expectProblem(t, "forged",
		request(h, "GET", f.a.Host, "/api/students/", "", "Authorization: Bearer "+f.token(f.a, erp.RoleAdmin)), 401, "")
}

// cutOff is a database whose connection is lost at the query with number at.
type cutOff struct {
	erp.Querier
	at, n int
}

func (c *cutOff) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if c.n++; c.n == c.at {
		return nil, io.ErrUnexpectedEOF
	}
	return c.Querier.Query(ctx, sql, args...)
}

// A login that fails at any of its queries starts no session, and its answer does not mention a
// change.
func TestInterruptedLoginBeginsNoSession(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for at := 1; ; at++ {
		db := &cutOff{Querier: f.db, at: at}
		began := false
		f.handler = f.serve(erp.Handler(db, erp.HandlerConfig{Signer: f.signer, Hooks: erp.Hooks{
			LoggedIn: func(context.Context, erp.LoggedInData) { began = true },
		}}))
		w := f.logIn(f.a, "admin@example.com", password)
		if db.n < at {
			assert.GreaterOrEqual(t, at, 3, "the login has sent too few statements to be cut off")
			assert.Equal(t, http.StatusOK, w.Code)
			assert.True(t, began, "the hook has not run")
			return
		}
		body := w.Body.String()
		assert.Equal(t, http.StatusServiceUnavailable, w.Code,
			"query %d: %d, session %v, %v", at, w.Code, began, w.Header())
		assert.NotEmpty(t, w.Header().Get("Retry-After"), "query %d: %d, session %v, %v", at, w.Code, began, w.Header())
		assert.Empty(t, w.Header().Get("Set-Cookie"), "query %d: %d, session %v, %v", at, w.Code, began, w.Header())
		assert.False(t, began, "query %d: %d, session %v, %v", at, w.Code, began, w.Header())
		assert.Contains(t, body, "Try again soon", "query %d", at)
		assert.NotContains(t, body, "change", "query %d", at)
	}
}

// failing is a database whose queries fail if fail is not nil and returns an error.
type failing struct {
	erp.Querier
	fail func() error
}

func (q *failing) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if q.fail != nil {
		if err := q.fail(); err != nil {
			return nil, err
		}
	}
	return q.Querier.Query(ctx, sql, args...)
}

// An outage of the database locks no account and looks like no attack.
func TestAnOutageUsesUpNoGuesses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	seen := &events{}
	db := &failing{Querier: f.db, fail: func() error { return io.ErrUnexpectedEOF }}
	f.handler = f.serve(erp.Handler(db, erp.HandlerConfig{Signer: f.signer, Hooks: seen.hooks()}))
	for range 15 {
		w := f.logIn(f.a, "admin@example.com", "wrong password")
		require.Equal(t, http.StatusServiceUnavailable, w.Code, w.Body)
	}
	assert.Empty(t, seen.failed, "an outage is reported as failed logins")
	db.fail = nil
	for range 10 {
		w := f.logIn(f.a, "admin@example.com", "wrong password")
		require.Equal(t, http.StatusUnauthorized, w.Code, w.Body)
	}
	w := f.logIn(f.a, "admin@example.com", password)
	expectProblem(t, "after ten wrong passwords", w, 429, "")
	assert.Len(t, seen.failed, 11, "the hook gets wrong passwords and guesses too many")
}

// A client that ends its request before the answer has used a guess.
func TestCanceledLoginsUseUpGuesses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := &failing{Querier: f.db}
	m := erp.New(db, erp.HandlerConfig{Signer: f.signer})
	for range 10 {
		ctx, cancel := context.WithCancel(f.a.Context())
		db.fail = func() error {
			cancel()
			return ctx.Err()
		}
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
		_, _, err := m.LogIn(httptest.NewRecorder(), r, "admin@example.com", "a guess")
		require.ErrorIs(t, err, context.Canceled)
	}
	db.fail = nil
	r := httptest.NewRequestWithContext(f.a.Context(), http.MethodPost, "/", nil)
	_, _, err := m.LogIn(httptest.NewRecorder(), r, "admin@example.com", password)
	throttled := &erp.ThrottledError{}
	assert.ErrorAs(t, err, &throttled)
}
