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

// Config says what the site works with. All of it is required.
type Config struct {
	DB     *schemactx.DB
	Module *erp.Module // knows who is logged in
	Signer *tenanttoken.Signer
	Logger *slog.Logger
}

type site struct {
	Config
	*web.Kit
}

//go:embed pages
var pages embed.FS

// New returns what serves the pages of a school.
func New(cfg Config) (http.Handler, error) {
	files, err := fs.Sub(pages, "pages")
	if err != nil {
		return nil, err
	}
	kit, err := web.NewKit(files, cfg.Signer, cfg.Logger)
	if err != nil {
		return nil, err
	}
	s := &site{cfg, kit}
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

// person is who looks at a page.
type person struct {
	erp.User
	viewer erp.Viewer
}

// forPerson serves a page to who may come in. The access log has them as the actor of what they do.
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

// page is a page of the school of the request, whose name it has in large letters.
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

// failed says why there is no page. What is not there, and what is not for the viewer, are the
// same.
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
