package console

import (
	"net/http"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
)

func (c *console) setStatus(w http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	ctx, cancel := operationContext(w, r)
	defer cancel()
	var err error
	switch form.Text("to") {
	case "suspend":
		_, err = c.Tenants.Suspend(ctx, slug, form.Text("reason"))
		return "The school is suspended. Its hosts answer 403 with the reason.", err
	case "activate":
		_, err = c.Tenants.Activate(ctx, slug)
		return "The school is active again.", err
	case "maintenance":
		_, err = c.Tenants.StartMaintenance(ctx, slug,
			tenancy.MaintenanceParams{Reason: form.Text("reason"), Until: until(form.Text("minutes"))})
		return "The school is in maintenance. Its hosts answer 503 with the reason.", err
	case "serve":
		_, err = c.Tenants.EndMaintenance(ctx, slug)
		return "Maintenance has ended. The school is served again.", err
	case "resume":
		_, err = c.Tenants.Resume(ctx, slug)
		return "The interrupted operation is complete.", err
	}
	return "", &tenancy.FieldError{Field: "status", Value: form.Text("to"), Rule: "cannot be set here"}
}

// until returns the end of a maintenance that lasts the given number of minutes. It returns the
// zero time (unknown) if minutes is not a positive number.
func until(minutes string) time.Time {
	d, err := time.ParseDuration(minutes + "m")
	if err != nil || d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// setPlan changes the plan of the school.
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
	return "The plan is " + plan + ". It applies from the next request.", err
}
