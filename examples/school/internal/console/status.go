package console

import (
	"net/http"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
)

func (c *console) setStatus(w http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	ctx, cancel := patient(w, r)
	defer cancel()
	var err error
	switch form.Text("to") {
	case "suspend":
		_, err = c.Tenants.Suspend(ctx, slug, form.Text("reason"))
		return "Suspended. Its hosts answer 403, with the reason.", err
	case "activate":
		_, err = c.Tenants.Activate(ctx, slug)
		return "Active again.", err
	case "maintenance":
		_, err = c.Tenants.StartMaintenance(ctx, slug, tenancy.MaintenanceParams{Reason: form.Text("reason"), Until: until(form.Text("minutes"))})
		return "In maintenance. Its hosts answer 503, with the reason.", err
	case "serve":
		_, err = c.Tenants.EndMaintenance(ctx, slug)
		return "Served again.", err
	case "resume":
		_, err = c.Tenants.Resume(ctx, slug)
		return "Gone on with, to the end.", err
	}
	return "", &tenancy.FieldError{Field: "status", Value: form.Text("to"), Rule: "is none that can be set here"}
}

// until is the end of a maintenance of so many minutes; the zero time, nobody knows, for anything else.
func until(minutes string) time.Time {
	d, err := time.ParseDuration(minutes + "m")
	if err != nil || d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// setPlan changes the plan of the school as it was on the page, and nothing where somebody else has changed it since.
func (c *console) setPlan(_ http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	t, err := c.Tenants.BySlug(r.Context(), slug)
	if err != nil {
		return "", err
	}
	plan := form.Text("plan")
	if err := c.Schools.CheckPlan(plan); err != nil {
		return "", err
	}
	_, err = c.Tenants.Update(r.Context(), t, tenancy.Changes{Plan: &plan})
	return "The plan is " + plan + " from the next request on.", err
}
