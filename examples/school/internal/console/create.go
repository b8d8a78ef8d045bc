package console

import (
	"errors"
	"net/http"

	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
)

// creation is the form for a new school, with the errors of its fields.
type creation struct {
	schools.New
	Plans []string
	Wrong schools.WrongError
}

func (c *console) askCreate(w http.ResponseWriter, r *http.Request) {
	c.Render(w, r, http.StatusOK, "new", c.page(r, "New school", creation{Plans: c.Schools.Plans()}))
}

func (c *console) create(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	n := schools.New{
		Name: form.Text("name"), Slug: form.Text("slug"), Domain: form.Text("domain"), Plan: form.Text("plan"),
		Admin: form.Text("admin"), Password: form.Secret("password"),
	}
	ctx, cancel := operationContext(w, r)
	defer cancel()
	t, err := c.Schools.Make(ctx, n)
	var stopped *tenancy.StepError
	if wrong := schools.Wrong(err); wrong != nil {
		n.Password = ""
		c.Render(w, r, http.StatusUnprocessableEntity, "new", c.page(r, "New school", creation{n, c.Schools.Plans(), wrong}))
		return
	}
	if err != nil && !errors.As(err, &stopped) {
		c.back(w, r, "/admin/new", "", err)
		return
	}
	c.back(w, r, "/admin/tenants/"+t.Slug, t.Name+" is created in schema "+t.Schema+". Its administrator can log in.", err)
}
