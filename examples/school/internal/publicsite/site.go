package publicsite

import (
	"embed"
	"io/fs"
	"log/slog"
	"net"
	"net/http"

	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Config configures the site. All fields are required.
type Config struct {
	Registry *tenancy.Registry // as the runtime login may read it
	Schools  *schools.Maker
	Staff    *staff.Staff
	Signer   *tenanttoken.Signer
	Open     func(t *tenancy.Tenant) bool // whether the school is public: visitors can look at it and see it in the list
	Port     string                       // the port in the addresses of schools
	Logger   *slog.Logger
}

type site struct {
	Config
	*web.Renderer
	signups *ratelimit.Buckets
}

//go:embed pages
var pages embed.FS

// New returns the handler of the platform's hosts, except for the console.
func New(cfg Config) (http.Handler, error) {
	if err := web.CheckConfig(cfg); err != nil {
		return nil, err
	}
	files, err := fs.Sub(pages, "pages")
	if err != nil {
		return nil, err
	}
	renderer, err := web.NewRenderer(files, cfg.Signer, cfg.Logger)
	if err != nil {
		return nil, err
	}
	signups, err := ratelimit.NewBuckets(ratelimit.BucketsConfig{})
	if err != nil {
		return nil, err
	}
	s := &site{cfg, renderer, signups}
	return web.Headers(web.SameOrigin(s.routes())), nil
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("POST /signup", s.signUp)
	for _, path := range []string{"/api/tenants", "/api/tenants/{$}"} {
		mux.HandleFunc("GET "+path, s.listTenants)
		mux.HandleFunc("POST "+path, s.createTenant)
		mux.HandleFunc(path, notAllowed("GET, POST"))
	}
	for path, serve := range map[string]struct {
		method string
		do     http.HandlerFunc
	}{
		"/api/auth/login":  {http.MethodPost, s.logIn},
		"/api/auth/logout": {http.MethodPost, s.logOut},
		"/api/auth/me":     {http.MethodGet, s.me},
	} {
		for _, path := range []string{path, path + "/{$}"} {
			mux.HandleFunc(serve.method+" "+path, serve.do)
			mux.HandleFunc(path, notAllowed(serve.method))
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: tenanthttp.ErrNoSite, Problem: tenanthttp.Problem{
			Status: http.StatusNotFound, Detail: "There is nothing at this address of the public site.",
		}})
	})
	return mux
}

func notAllowed(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", methods)
		tenanthttp.Problem{Status: http.StatusMethodNotAllowed}.Respond(w)
	}
}

// address returns the URL of a school.
func (s *site) address(slug string) string {
	host := s.Schools.DomainOf(slug)
	if s.Port != "" && s.Port != "80" {
		host = net.JoinHostPort(host, s.Port)
	}
	return "http://" + host + "/"
}
