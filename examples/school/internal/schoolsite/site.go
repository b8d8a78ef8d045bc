package schoolsite

import (
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Config configures the site. All fields are required.
type Config struct {
	DB     *schemactx.DB
	Module *erp.Module // authenticates the viewer
	Signer *tenanttoken.Signer
	Logger *slog.Logger
}

type site struct {
	Config
	*web.Renderer
}

//go:embed pages
var pages embed.FS

// New returns the handler of a school's pages.
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
	s := &site{cfg, renderer}
	return web.Headers(web.SameOrigin(s.routes())), nil
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, page := range map[string]func(http.ResponseWriter, *http.Request, person){
		"GET /{$}":           s.home,
		"GET /students":      s.students,
		"GET /students/{id}": s.student,
		"GET /classes":       s.classes,
		"GET /classes/{id}":  s.class,
		"GET /fees":          s.fees,
		"GET /import":        s.askImport,
		"POST /import":       s.importStudents,
		"POST /logout":       s.logOut,
	} {
		mux.Handle(pattern, s.forPerson(page))
	}
	mux.HandleFunc("GET /login", s.askLogin)
	mux.HandleFunc("POST /login", s.logIn)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: tenanthttp.ErrNoSite})
	})
	return mux
}

// person is the viewer of a page. User is zero for a visitor.
type person struct {
	erp.User
	viewer erp.Viewer
}

// forPerson serves a page to a viewer that the module accepts, and sets the viewer as the actor in
// the access log.
func (s *site) forPerson(page func(http.ResponseWriter, *http.Request, person)) http.Handler {
	return s.Module.WithViewer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := person{}
		p.viewer, _ = erp.ViewerFromContext(r.Context())
		if p.viewer.UserID != 0 {
			var err error
			if p.User, err = erp.NewMe(s.DB).Get(r.Context()); err != nil {
				s.failed(w, r, p, err)
				return
			}
			audit.SetActor(r.Context(), p.Email)
		}
		page(w, r, p)
	}))
}

// page returns a page of the school of the request, with the name of the school as its heading.
func (s *site) page(r *http.Request, p person, title string, data any) web.Page {
	school, _ := tenancy.FromContext(r.Context())
	page := web.Page{Title: title, Site: school.Name, Where: r.Host, Accent: web.Accent(school.Slug), Data: data}
	if p.viewer == (erp.Viewer{}) {
		return page
	}
	page.Nav = []web.Link{
		{Path: "/", Text: "School"},
		{Path: "/students", Text: "Students"},
		{Path: "/classes", Text: "Classes"},
	}
	if p.ID == 0 {
		page.Nav = append(page.Nav, web.Link{Path: "/login", Text: "Log in"})
		return page
	}
	page.Who, page.Logout = p.Name+", "+string(p.Role), "/logout"
	if p.Role != erp.RoleTeacher {
		page.Nav = append(page.Nav, web.Link{Path: "/fees", Text: "Fees"})
	}
	if p.Role == erp.RoleAdmin {
		page.Nav = append(page.Nav, web.Link{Path: "/import", Text: "Import"})
	}
	return page
}

// failed answers a request that has no page. The answer is the same for data that does not exist
// and for data that the viewer may not see.
func (s *site) failed(w http.ResponseWriter, r *http.Request, p person, err error) {
	var input *erp.InputError
	status, said := 0, ""
	switch {
	case errors.Is(err, erp.ErrSessionOver):
		s.Redirect(w, r, "/login", web.Flash{Failed: true, Text: "Your session has ended. Log in again."})
		return
	case errors.Is(err, erp.ErrForbidden):
		status, said = http.StatusForbidden, "Your role does not allow this."
	case errors.Is(err, erp.ErrNotFound):
		status, said = http.StatusNotFound, "This page does not exist, or you may not see it."
	case errors.As(err, &input):
		status, said = http.StatusUnprocessableEntity, input.Error()
	default:
		s.Broken(w, r, err)
		return
	}
	s.Render(w, r, status, "missing", s.page(r, p, http.StatusText(status), said))
}
