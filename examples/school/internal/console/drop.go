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

// A drop takes two people. The first requests it and gets a token. The second looks at what would
// be deleted, and approves. The first enters the token and a one-time code, while there is a backup
// of the last 24 hours. Each step is in the access log, refusals too.

// asking is the page with the form to request a drop.
type asking struct {
	Tenant tenancy.Tenant
	Backup time.Time // the last backup; zero: none
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
	c.Render(w, r, http.StatusOK, "ask-drop", c.page(r, "Delete "+t.Name, a))
}

func (c *console) requestDrop(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	slug, user := r.PathValue("slug"), who(r)
	path := "/admin/tenants/" + url.PathEscape(slug) + "/drop"
	if form.Text("slug") != slug {
		c.back(w, r, path, "",
			&tenancy.FieldError{Field: "slug", Value: form.Text("slug"), Rule: "is not the short name of this school"})
		return
	}
	request, err := c.Tenants.RequestDrop(r.Context(), slug, user.Email)
	c.requested(w, r, path, request, err)
}

// requested shows the token of a request once, or returns to the form with the error.
func (c *console) requested(
	w http.ResponseWriter,
	r *http.Request,
	path string,
	request tenancy.DropRequest,
	err error,
) {
	if err != nil {
		c.back(w, r, path, "", err)
		return
	}
	c.Redirect(w, r, fmt.Sprintf("/admin/drops/%d", request.ID), web.Flash{
		Text: "This is the token of your request. It is shown only once. Only you can use it, until " + web.When(
			request.ExpiresAt,
		) + ":",
		Secret: request.Token,
	})
}

// dropping is a request to drop, for its author and for the approver.
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
	c.Render(w, r, http.StatusOK, "drop", c.page(r, "Deletion of "+request.Tenant.Name, d))
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
	c.back(w, r, path, "Approved. "+request.Actor+" can delete it now.", err)
}

func (c *console) drop(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	ctx, cancel := operationContext(w, r)
	defer cancel()
	p := tenancy.DropParams{
		Slug:  form.Text("slug"),
		Token: form.Text("token"),
		Actor: who(r).Email,
		Proof: form.Text("code"),
	}
	if schema := form.Text("schema"); schema != "" {
		_, err := c.Backups.ConfirmRestore(ctx, p, schema)
		if err != nil {
			c.back(w, r, "/admin/drops/"+r.PathValue("id"), "", err)
			return
		}
		c.back(w, r, "/admin/tenants/"+url.PathEscape(p.Slug), "Schema "+schema+" is deleted.", nil)
		return
	}
	t, err := c.Tenants.Drop(ctx, p)
	if err != nil {
		c.back(w, r, "/admin/drops/"+r.PathValue("id"), "", err)
		return
	}
	c.Redirect(w, r, "/admin/tenants/", web.Flash{
		Text: fmt.Sprintf("%s is deleted, with schema %s and all its data. Its backups are kept under id %d.", t.Name,
			t.Schema, t.ID),
	})
}

// who returns the logged-in staff member. [staff.Staff.Require] ensures that there is one.
func who(r *http.Request) platformuser.User {
	user, _ := staff.FromContext(r.Context())
	return user
}
