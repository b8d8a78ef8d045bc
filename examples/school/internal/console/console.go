package console

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/quarantine"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Config configures the console. All fields are required.
type Config struct {
	Tenants    *tenancy.Manager
	Schools    *schools.Maker
	Runner     *migrate.Runner
	Quarantine *quarantine.Quarantine
	Backups    *backup.Service
	Log        *audit.Log
	Owner      *pgxpool.Pool // reads the access log
	Metrics    prometheus.Gatherer
	Staff      *staff.Staff
	Signer     *tenanttoken.Signer
	Port       string // the port in the addresses of schools
	Logger     *slog.Logger
}

type console struct {
	Config
	*web.Renderer
	reader *audit.Reader
}

//go:embed pages
var pages embed.FS

// New returns the handler of /admin/ on the platform's hosts.
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
	reader, err := audit.NewReader(cfg.Owner, audit.ReaderConfig{})
	if err != nil {
		return nil, err
	}
	c := &console{Config: cfg, Renderer: renderer, reader: reader}
	return web.Headers(web.SameOrigin(c.routes())), nil
}

func (c *console) routes() http.Handler {
	inside := http.NewServeMux()
	for pattern, page := range map[string]http.HandlerFunc{
		"GET /admin/{$}":                     c.dashboard,
		"GET /admin/tenants/{$}":             c.list,
		"GET /admin/tenants/{slug}":          c.show,
		"GET /admin/tenants/{slug}/drift":    c.driftOf,
		"GET /admin/tenants/{slug}/verify":   c.verify,
		"GET /admin/tenants/{slug}/drop":     c.askDrop,
		"GET /admin/new":                     c.askCreate,
		"GET /admin/drops/{id}":              c.showDrop,
		"GET /admin/migrations":              c.migrations,
		"GET /admin/log":                     c.accessLog,
		"POST /admin/new":                    c.create,
		"POST /admin/logout":                 c.logOut,
		"POST /admin/drops/{id}/approve":     c.approveDrop,
		"POST /admin/drops/{id}/drop":        c.drop,
		"POST /admin/tenants/{slug}/drop":    c.requestDrop,
		"POST /admin/tenants/{slug}/backup":  c.onTenant(c.backUp),
		"POST /admin/tenants/{slug}/restore": c.onTenant(c.restore),
		"POST /admin/tenants/{slug}/revert":  c.onTenant(c.revert),
		"POST /admin/tenants/{slug}/confirm": c.confirm,
		"POST /admin/tenants/{slug}/status":  c.onTenant(c.setStatus),
		"POST /admin/tenants/{slug}/plan":    c.onTenant(c.setPlan),
		"POST /admin/tenants/{slug}/domains": c.onTenant(c.addDomain),
		"POST /admin/tenants/{slug}/domain":  c.onTenant(c.changeDomain),
		"POST /admin/tenants/{slug}/move":    c.onTenant(c.moveDomain),
		"POST /admin/tenants/{slug}/migrate": c.onTenant(c.migrate),
	} {
		inside.HandleFunc(pattern, page)
	}
	inside.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.missing(w, r, "There is nothing at this address of the console.")
	})
	outside := http.NewServeMux()
	outside.HandleFunc("GET /admin/login", c.askLogin)
	outside.HandleFunc("POST /admin/login", c.logIn)
	outside.Handle("/", c.Staff.Require(tokens, inside, http.HandlerFunc(c.goLogIn)))
	return outside
}

// page returns a page of the console with its data.
func (c *console) page(r *http.Request, title string, data any) web.Page {
	p := web.Page{Title: title, Site: "Platform console", Where: r.Host, Accent: "accent-platform", Data: data}
	if user, ok := staff.FromContext(r.Context()); ok {
		p.Who, p.Logout = user.Email, "/admin/logout"
		p.Nav = []web.Link{
			{Path: "/admin/", Text: "Overview"},
			{Path: "/admin/tenants/", Text: "Schools"},
			{Path: "/admin/new", Text: "New school"},
			{Path: "/admin/migrations", Text: "Migrations"},
			{Path: "/admin/log", Text: "Access log"},
		}
	}
	return p
}

func (c *console) missing(w http.ResponseWriter, r *http.Request, why string) {
	c.Render(w, r, http.StatusNotFound, "missing", c.page(r, "Not found", why))
}

// address returns the URL of a school.
func (c *console) address(host string) string {
	if c.Port != "" && c.Port != "80" {
		host = net.JoinHostPort(host, c.Port)
	}
	return "http://" + host + "/"
}

// operationTimeout bounds an operation that takes longer than a page may, such as the copy of a
// large school. The operation continues if the browser disconnects.
const operationTimeout = 10 * time.Minute

func operationContext(w http.ResponseWriter, r *http.Request) (context.Context, context.CancelFunc) {
	// On an error the old deadline stays.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(operationTimeout + time.Minute))
	return context.WithTimeout(context.WithoutCancel(r.Context()), operationTimeout)
}

// action changes a school with the values of a form. It returns the message for the next page.
type action func(w http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error)

// onTenant runs an action and returns to the page of the school.
func (c *console) onTenant(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, ok := web.ReadForm(w, r)
		if !ok {
			return
		}
		slug := r.PathValue("slug")
		said, err := do(w, r, slug, form)
		c.back(w, r, "/admin/tenants/"+url.PathEscape(slug), said, err)
	}
}

// back answers a form with a redirect and a message.
func (c *console) back(w http.ResponseWriter, r *http.Request, path, said string, err error) {
	if schemactx.Unavailable(err) { // the page that would show the error needs the database, too
		c.BrokenOff(w, r, err)
		return
	}
	if err != nil {
		c.Redirect(w, r, path, web.Flash{Failed: true, Text: c.errorText(r, err)})
		return
	}
	c.Redirect(w, r, path, web.Flash{Text: said})
}
