package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// A drop takes four steps of two people. One asks for it, and gets a token; another one looks at what would be lost, and approves; the first
// gives the token back, with a one-time code, while there is a fresh backup. Each is in the access log, refusals too.

// asking is the page before anything is asked for.
type asking struct {
	Tenant tenancy.Tenant
	Backup time.Time // the last one; zero: none
}

func (c *console) askDrop(w http.ResponseWriter, r *http.Request) {
	t, err := c.Tenants.BySlug(r.Context(), r.PathValue("slug"))
	if err != nil {
		c.failed(w, r, err)
		return
	}
	backups, err := c.backupsOf(r, &t)
	if err != nil {
		c.Broken(w, r, err)
		return
	}
	a := asking{Tenant: t}
	if len(backups) > 0 {
		a.Backup = backups[0].TakenAt
	}
	c.Render(w, r, http.StatusOK, "ask-drop", c.page(r, "Drop "+t.Name, a))
}

func (c *console) requestDrop(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	slug, user := r.PathValue("slug"), who(r)
	path := "/admin/tenants/" + url.PathEscape(slug) + "/drop"
	if form.Text("slug") != slug {
		c.back(w, r, path, "", &tenancy.FieldError{Field: "short name", Value: form.Text("slug"), Rule: "is not this school's"})
		return
	}
	request, err := c.Tenants.RequestDrop(r.Context(), slug, user.Email)
	c.requested(w, r, path, request, err)
}

// requested shows the token of a request, once, or goes back to where it was made.
func (c *console) requested(w http.ResponseWriter, r *http.Request, path string, request tenancy.DropRequest, err error) {
	if err != nil {
		c.back(w, r, path, "", err)
		return
	}
	c.Redirect(w, r, fmt.Sprintf("/admin/drops/%d", request.ID), web.Flash{
		Text: "This is the token of your request. It is shown once, is yours alone, and is good until " + web.When(request.ExpiresAt) + ":", Secret: request.Token,
	})
}

// dropping is a request, for who has made it and for who is to approve it.
type dropping struct {
	tenancy.DropRequest
	Mine    bool
	Expired bool
}

func (c *console) showDrop(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		c.failed(w, r, tenancy.ErrDropRequest)
		return
	}
	request, err := c.Tenants.DropRequest(r.Context(), id)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	d := dropping{request, strings.EqualFold(request.Actor, who(r).Email), !time.Now().Before(request.ExpiresAt)}
	c.Render(w, r, http.StatusOK, "drop", c.page(r, "Drop of "+request.Tenant.Name, d))
}

func (c *console) approveDrop(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	path := "/admin/drops/" + r.PathValue("id")
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		c.failed(w, r, tenancy.ErrDropRequest)
		return
	}
	user := who(r)
	if err := c.Staff.CheckCode(r.Context(), user.Email, form.Text("code")); err != nil {
		c.back(w, r, path, "", err)
		return
	}
	request, err := c.Tenants.ApproveDrop(r.Context(), id, user.Email)
	c.back(w, r, path, "Approved. "+request.Actor+" can drop it now.", err)
}

func (c *console) drop(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	ctx, cancel := patient(w, r)
	defer cancel()
	p := tenancy.DropParams{Slug: form.Text("slug"), Token: form.Text("token"), Actor: who(r).Email, Proof: form.Text("code")}
	if schema := form.Text("schema"); schema != "" {
		_, err := c.Backups.ConfirmRestore(ctx, p, schema)
		if err != nil {
			c.back(w, r, "/admin/drops/"+r.PathValue("id"), "", err)
			return
		}
		c.back(w, r, "/admin/tenants/"+url.PathEscape(p.Slug), "Confirmed: schema "+schema+" is dropped.", nil)
		return
	}
	t, err := c.Tenants.Drop(ctx, p)
	if err != nil {
		c.back(w, r, "/admin/drops/"+r.PathValue("id"), "", err)
		return
	}
	c.Redirect(w, r, "/admin/tenants/", web.Flash{
		Text: fmt.Sprintf("%s is gone, with schema %s and all that was in it. Its backups stay, under number %d.", t.Name, t.Schema, t.ID),
	})
}

// who is logged in: there is somebody behind [staff.Staff.Require].
func who(r *http.Request) platformuser.User {
	user, _ := staff.FromContext(r.Context())
	return user
}
