package erp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// schools is the fixture of the examples: a platform with two schools.
type schools struct {
	DB       *schemactx.DB
	Registry *tenancy.Registry
	Signer   *tenanttoken.Signer
}

// newSchools panics on an error. done drops the database.
func newSchools() (s *schools, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	orPanic(err)
	env, err := tenancytest.Open(ctx, pg.URL,
		tenancytest.Config{Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}}})
	orPanic(err)
	s = &schools{DB: env.DB, Registry: tenancy.NewRegistry(env.DB)}
	s.Signer, err = tenanttoken.NewSigner(bytes.Repeat([]byte("k"), tenanttoken.MinKeyLen)) // normally from crypto/rand
	orPanic(err)
	for _, slug := range []string{"schoola", "schoolb"} {
		_, err := env.Manager.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		orPanic(err)
	}
	return s, func() {
		orPanic(env.Close(ctx))
		orPanic(closeDB())
	}
}

// Context returns a context for work of the program itself at a school.
func (s *schools) Context(slug string) context.Context {
	t, err := s.Registry.BySlug(context.Background(), slug)
	orPanic(err)
	return erp.NewContext(tenancy.NewContext(context.Background(), &t), erp.System())
}

// Serve serves a handler on the schools' hosts.
func (s *schools) Serve(h http.Handler) http.Handler {
	hosts := tenanthttp.ResolverFunc(func(ctx context.Context, host string) (tenanthttp.Target, error) {
		t, err := s.Registry.ByHost(ctx, host) // a program uses the directory of package resolver
		return tenanthttp.TenantTarget(&t), err
	})
	return tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: h})
}

// addUser adds a user who can log in.
func (s *schools) addUser(ctx context.Context, email string, role erp.Role) erp.User {
	users := erp.NewUsers(s.DB)
	user, err := users.Create(ctx, erp.NewUser{Email: email, Name: email, Role: role})
	orPanic(err)
	orPanic(users.SetPassword(ctx, user.ID, "correct horse battery"))
	return user
}

// logIn returns the cookie of a new session.
func logIn(h http.Handler, host, email string) string {
	w := send(h, "POST", host, "/api/auth/login", `{"email": "`+email+`", "password": "correct horse battery"}`)
	return "session=" + w.Result().Cookies()[0].Value
}

// send sends a request. headers are names, each followed by its value.
func send(h http.Handler, method, host, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// show prints the status and the body of a response.
// show prints a response, and the errors of a problem on a line of their own.
func show(w *httptest.ResponseRecorder) {
	body, err := io.ReadAll(w.Body)
	orPanic(err)
	fmt.Println(w.Code, strings.Replace(strings.TrimSpace(string(body)), `,"errors":`, ",\n\"errors\":", 1))
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
