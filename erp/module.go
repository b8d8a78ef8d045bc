package erp

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// HandlerConfig configures a [Module].
type HandlerConfig struct {
	// Signer signs the tokens of sessions. A token is valid at one school. Default: nil, no user can
	// log in.
	Signer *tenanttoken.Signer

	// SessionTTL is how long a session lasts at most. Default: 12 hours.
	SessionTTL time.Duration

	// Secure reports whether r came over TLS, so that browsers send the cookie over TLS only. Set it
	// if a proxy ends TLS. Default: whether r.TLS is set.
	Secure func(r *http.Request) bool

	// Anonymous returns the viewer of a request without a session, or false to refuse it with 401. It
	// must be safe for concurrent use. Default: it refuses every request. A school that is open to the
	// public returns [Visitor].
	Anonymous func(r *http.Request) (Viewer, bool)

	// Hooks are called on logins and requests. Default: none.
	Hooks Hooks

	// Logger receives the errors that a client does not see. Default: nil, discards.
	Logger *slog.Logger
}

func (c HandlerConfig) withDefaults() HandlerConfig {
	if c.SessionTTL <= 0 {
		c.SessionTTL = 12 * time.Hour
	}
	if c.Secure == nil {
		c.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	if c.Anonymous == nil {
		c.Anonymous = func(*http.Request) (Viewer, bool) { return Viewer{}, false }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Module is the school administration for another program to mount: its routes, and the viewers of
// the program's own pages. Its migrations are [Migrations]. It is safe for concurrent use.
type Module struct {
	cfg     HandlerConfig
	db      Querier
	origins *http.CrossOriginProtection
	guesses *throttle
	routes  []Route
}

// Route is one route of a [Module].
type Route struct {
	Method string
	Path   string // with {id} for an id, without a trailing slash
}

// New returns the module on db, which is a *schemactx.DB in most programs. It panics if db is nil.
func New(db Querier, cfg HandlerConfig) *Module {
	if db == nil {
		panic("erp: New without a database")
	}
	return &Module{
		cfg:     cfg.withDefaults(),
		db:      db,
		origins: http.NewCrossOriginProtection(),
		guesses: newThrottle(defaultGuesses),
	}
}

// Register adds the routes to mux. The package comment lists them. Call it once, before the module
// serves.
func (m *Module) Register(mux *http.ServeMux) {
	m.registerAuth(mux)
	m.registerUsers(mux)
	m.registerClasses(mux)
	m.registerTeachers(mux)
	m.registerParents(mux)
	m.registerStudents(mux)
	m.registerFeeStructures(mux)
	m.registerFees(mux)
	m.registerPayments(mux)
	m.registerOpenAPI(mux)
}

// Routes returns the routes that Register has added, ordered by path and method.
func (m *Module) Routes() []Route {
	return slices.SortedFunc(slices.Values(m.routes), func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
}

// handle adds the actions of a path. They need a viewer.
func (m *Module) handle(mux *http.ServeMux, path string, actions methods) {
	m.mount(mux, path, actions, m.WithViewer)
}

// mount adds the actions of a path behind guard. A trailing slash is optional.
func (m *Module) mount(mux *http.ServeMux, path string, actions methods, guard func(http.Handler) http.Handler) {
	h := guard(m.handler(actions))
	mux.Handle(path, h)
	mux.Handle(path+"/{$}", h)
	for method := range actions {
		m.routes = append(m.routes, Route{Method: method, Path: path})
	}
}

// Handler serves the API of the school of the request's context: it is New and Register, with 404
// for any other path.
//
// Every refusal is a [tenanthttp.Problem] with one of these statuses:
//
//	400  the body is not JSON of the right form
//	401  there is no session
//	403  the viewer's role may never do this, or another site has sent the request
//	404, 405
//	409  the request conflicts with existing rows
//	412, 428  the client has not seen the state that it changes: send If-Match
//	413  the body is over 1 MiB
//	415  the body is not application/json
//	422  fields or parameters are invalid; each is named
func Handler(db Querier, cfg HandlerConfig) http.Handler {
	mux := http.NewServeMux()
	New(db, cfg).Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		tenanthttp.Problem{Status: http.StatusNotFound, Detail: "There is nothing at this address."}.Respond(w)
	})
	return mux
}
