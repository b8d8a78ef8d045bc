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

// HandlerConfig says how a [Module] serves.
type HandlerConfig struct {
	// Signer makes the tokens of sessions, each good for one school. Default: nil, nobody can log in.
	Signer *tenanttoken.Signer

	// SessionTTL is how long a session lasts at most. Default: 12 hours.
	SessionTTL time.Duration

	// Secure reports whether r came over TLS, so that cookies are for TLS alone. A program behind a proxy that ends TLS
	// says so here. Default: whether r.TLS is set.
	Secure func(r *http.Request) bool

	// Anonymous returns who a request without a session is, or false for nobody: it is then refused with 401. It must be
	// safe for concurrent use. Default: nobody, ever. A school that is open to all returns [Visitor].
	Anonymous func(r *http.Request) (Viewer, bool)

	// Hooks are told what goes on. Default: none.
	Hooks Hooks

	// Logger gets the errors that a client is not told. Nil discards.
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

// Module is the school administration as another program mounts it: its routes, and the viewers of the program's own
// pages. Its migrations are [Migrations]. It is safe for concurrent use.
type Module struct {
	cfg     HandlerConfig
	db      Querier
	origins *http.CrossOriginProtection
	guesses *throttle
	routes  []Route
}

// Route is one thing that can be asked of a [Module].
type Route struct {
	Method string
	Path   string // with {id} for what varies, and without a slash at the end
}

// New returns the module on db, in most programs a *schemactx.DB. It panics if db is nil.
func New(db Querier, cfg HandlerConfig) *Module {
	if db == nil {
		panic("erp: New without a database")
	}
	return &Module{cfg: cfg.withDefaults(), db: db, origins: http.NewCrossOriginProtection(), guesses: newThrottle(defaultGuesses)}
}

// Register adds the routes to mux; the package comment lists them. It is called once, before the module serves.
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

// Routes returns what Register has added, by path and method.
func (m *Module) Routes() []Route {
	return slices.SortedFunc(slices.Values(m.routes), func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
}

// handle adds the actions of a path, which are for viewers.
func (m *Module) handle(mux *http.ServeMux, path string, actions methods) {
	m.mount(mux, path, actions, m.WithViewer)
}

// mount adds the actions of a path, behind guard. A slash at the end is optional.
func (m *Module) mount(mux *http.ServeMux, path string, actions methods, guard func(http.Handler) http.Handler) {
	h := guard(m.handler(actions))
	mux.Handle(path, h)
	mux.Handle(path+"/{$}", h)
	for method := range actions {
		m.routes = append(m.routes, Route{Method: method, Path: path})
	}
}

// Handler serves the API of the school in the request's context, and nothing else: it is New and Register, with 404 for
// everything else.
//
// Every refusal is a [tenanthttp.Problem]: 400 for a body that is not JSON of the right shape, 401 without a session, 403
// for what the viewer's role may never do and for requests that another site has made a browser send, 404, 405, 409 for
// a clash with what is there, 412 and 428 for changes of a state that the client has not seen (send If-Match), 413 for a
// body over 1 MiB, 415 for one that is not application/json, and 422 for fields and parameters that are refused, each
// named.
func Handler(db Querier, cfg HandlerConfig) http.Handler {
	mux := http.NewServeMux()
	New(db, cfg).Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		tenanthttp.Problem{Status: http.StatusNotFound, Detail: "There is nothing at this address."}.Respond(w)
	})
	return mux
}
