package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// entries is a page of the access log, newest first.
type entries struct {
	Tenant, Action, Actor, Since, Until, Request string
	Actions                                      []audit.Action
	Records                                      []audit.Record
	Next                                         string // the address of the next page
	Wrong                                        string
}

// actions are the actions that the form offers.
var actions = []audit.Action{
	audit.SchemaAccess,
	audit.Login,
	audit.LoginFailed,
	audit.PermissionDenied,
	audit.ExplicitSwitch,
	audit.Create,
	audit.AssignStocked,
	audit.Update,
	audit.Suspend,
	audit.Activate,
	audit.Maintenance,
	audit.DomainChange,
	audit.Migration,
	audit.Backup,
	audit.Restore,
	audit.DropRequested,
	audit.DropApproved,
	audit.DropRefused,
	audit.DropStarted,
	audit.DropDone,
}

// day is the layout of a date in the form.
const day = "2006-01-02"

func (c *console) accessLog(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	e := entries{
		Tenant: q.Get("tenant"), Action: q.Get("action"), Actor: q.Get("actor"), Since: q.Get("since"), Until: q.Get("until"),
		Request: q.Get("request"), Actions: actions,
	}
	f, err := c.filter(r, &e)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	f.After = audit.Cursor(q.Get("after"))
	if e.Wrong == "" {
		page, err := c.reader.List(r.Context(), f)
		var field *audit.FieldError
		switch {
		case errors.As(err, &field):
			e.Wrong = refused(field.Field, field.Rule)
		case err != nil:
			c.Broken(w, r, err)
			return
		}
		e.Records = page.Records
		if page.Next != "" {
			q.Set("after", string(page.Next))
			e.Next = "?" + q.Encode()
		}
	}
	status := http.StatusOK
	if e.Wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	c.Render(w, r, status, "log", c.page(r, "Access log", e))
}

// filter reads the form. Without a first day it covers the last week, because a query over all
// months takes long.
func (c *console) filter(r *http.Request, e *entries) (audit.Filter, error) {
	f := audit.Filter{Actor: e.Actor, RequestID: e.Request, Order: audit.Newest, Limit: pageSize}
	if e.Action != "" {
		f.Actions = []audit.Action{audit.Action(e.Action)}
	}
	if e.Since == "" {
		e.Since = time.Now().UTC().AddDate(0, 0, -7).Format(day)
	}
	var since, until error
	f.Since, since = time.Parse(day, e.Since)
	if e.Until != "" {
		f.Until, until = time.Parse(day, e.Until)
		f.Until = f.Until.AddDate(0, 0, 1) // include the last day
	}
	if since != nil || until != nil {
		e.Wrong = "Enter a day as 2026-01-31."
	}
	if e.Tenant == "" {
		return f, nil
	}
	// A deleted school can only be found by its id.
	if id, err := strconv.ParseInt(e.Tenant, 10, 64); err == nil {
		f.Tenants = []int64{id}
		return f, nil
	}
	t, err := c.Tenants.BySlug(r.Context(), e.Tenant)
	if errors.Is(err, tenancy.ErrNotFound) {
		e.Wrong = "This school does not exist. To find a deleted school, enter its number."
		return f, nil
	}
	f.Tenants = []int64{t.ID}
	return f, err
}
