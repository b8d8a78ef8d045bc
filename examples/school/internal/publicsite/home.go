package publicsite

import (
	"errors"
	"net/http"

	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
)

// front is the first page, with the form to sign up.
type front struct {
	Open  []open
	Form  schools.New
	Wrong schools.WrongError
}

// open is a school that visitors can look at.
type open struct{ Name, Address, Accent string }

func (s *site) home(w http.ResponseWriter, r *http.Request) { s.front(w, r, http.StatusOK, front{}) }

func (s *site) front(w http.ResponseWriter, r *http.Request, status int, f front) {
	tenants, _, err := s.openSchools(r, 0)
	if err != nil {
		s.Broken(w, r, err)
		return
	}
	for _, t := range tenants {
		f.Open = append(f.Open, open{t.Name, s.address(t.Slug), web.Accent(t.Slug)})
	}
	s.Render(w, r, status, "home", s.page(r, "One program, many schools", f))
}

func (s *site) page(r *http.Request, title string, data any) web.Page {
	return web.Page{Title: title, Site: "Schools", Where: r.Host, Accent: "accent-platform", Data: data, Nav: []web.Link{
		{Path: "/", Text: "Schools"}, {Path: "/admin/", Text: "For platform staff"},
	}}
}

// welcome is the page after a sign-up. It does not redirect to the school, because the content
// security policy of this site allows forms to lead only to this site.
type welcome struct{ Name, Address, Email string }

func (s *site) signUp(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	n := schools.New{
		Name:     form.Text("name"),
		Slug:     form.Text("slug"),
		Admin:    form.Text("email"),
		Password: form.Secret("password"),
	}
	t, err := s.make(r, n)
	wrong := schools.Wrong(err)
	n.Password = ""
	switch {
	case wrong != nil:
		s.front(w, r, http.StatusUnprocessableEntity, front{Form: n, Wrong: wrong})
	case errors.Is(err, errTooMany):
		tooMany.Respond(w)
	case err != nil:
		s.BrokenOff(w, r, err)
	default:
		s.Render(w, r, http.StatusCreated, "welcome",
			s.page(r, t.Name+" is ready", welcome{t.Name, s.address(t.Slug), n.Admin}))
	}
}

// openSchools returns the active schools of one page of the registry that visitors can look at, and
// where the next page begins.
func (s *site) openSchools(r *http.Request, after int64) (found []tenancy.Tenant, next int64, err error) {
	page, err := s.Registry.List(r.Context(), tenancy.Filter{Statuses: []tenancy.Status{tenancy.Active}, After: after})
	for _, t := range page.Tenants {
		if s.Open(&t) {
			found = append(found, t)
		}
	}
	return found, page.Next, err
}
