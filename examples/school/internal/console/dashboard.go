package console

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/quarantine"
)

// overview is the first page of the console.
type overview struct {
	Statuses                         []statusCount
	Requests, Errors, Refused        int64
	LoginFailures, Limited, Attempts int64
	Behind, Current                  int64
	WithoutBackup                    int64
	OldestBackup                     time.Time
	Counted                          counted
	Drops                            []tenancy.DropRequest
	Quarantine                       []quarantinedSchool
	Recent                           []audit.Record
}

// counted holds the time at which each kind of figure was counted. The zero time means not yet; the
// page then shows no figure.
type counted struct{ Schools, Backups, Migrations time.Time }

// quarantinedSchool is a school in quarantine, or a quarantined schema that belongs to no school.
type quarantinedSchool struct {
	*quarantine.Entry
	Name, Slug string // empty if it belongs to no school
}

// quarantined returns the schools that are not served, at most [maxNamed].
func (c *console) quarantined(ctx context.Context) ([]quarantinedSchool, error) {
	entries := c.Quarantine.List()
	if len(entries) == 0 {
		return nil, nil
	}
	entries = entries[:min(len(entries), maxNamed)]
	names := make(map[string]tenancy.Tenant)
	for t, err := range c.Tenants.All(ctx, tenancy.Filter{Limit: tenancy.MaxPageSize}) {
		if err != nil {
			return nil, err
		}
		names[t.Schema] = t
	}
	all := make([]quarantinedSchool, len(entries))
	for i, e := range entries {
		all[i] = quarantinedSchool{e, names[e.Schema].Name, names[e.Schema].Slug}
	}
	return all, nil
}

type statusCount struct {
	Status tenancy.Status
	Count  int64
}

func (c *console) dashboard(w http.ResponseWriter, r *http.Request) {
	g, err := look(c.Metrics)
	if err != nil {
		c.Broken(w, r, err)
		return
	}
	o := overview{
		Requests:      g.count("pgtenant_http_requests_total"),
		Errors:        g.count("pgtenant_http_requests_total", "code", "5xx"),
		Refused:       g.count("pgtenant_refused_requests_total"),
		LoginFailures: g.count("pgtenant_login_failures_total"),
		Limited:       g.count("pgtenant_ratelimit_decisions_total", "decision", "limited"),
		Attempts:      g.count("pgtenant_cross_tenant_attempts_total"),
		Current:       g.count("pgtenant_migration_schemas", "state", "current"),
		Behind:        g.count("pgtenant_migration_schemas", "state", "behind"),
		WithoutBackup: g.count("pgtenant_backup_tenants", "state", "never"),
		OldestBackup:  g.timestamp("pgtenant_backup_oldest_timestamp_seconds"),
		Counted:       counted{g.surveyed("tenants"), g.surveyed("backups"), g.surveyed("migrations")},
	}
	for _, s := range []tenancy.Status{
		tenancy.Active, tenancy.Maintenance, tenancy.Suspended, tenancy.Provisioning, tenancy.Dropping, tenancy.Stocked,
	} {
		if n := g.count("pgtenant_tenants", "status", string(s)); n > 0 {
			o.Statuses = append(o.Statuses, statusCount{s, n})
		}
	}
	if o.Quarantine, err = c.quarantined(r.Context()); err != nil {
		c.Broken(w, r, err)
		return
	}
	if o.Drops, err = c.openDrops(r.Context()); err != nil {
		c.Broken(w, r, err)
		return
	}
	recent, err := c.reader.List(
		r.Context(),
		audit.Filter{Since: time.Now().Add(-7 * 24 * time.Hour), Order: audit.Newest, Limit: 10},
	)
	if err != nil {
		c.Broken(w, r, err)
		return
	}
	o.Recent = recent.Records
	c.Render(w, r, http.StatusOK, "dashboard", c.page(r, "Overview", o))
}

func (g metricValues) surveyed(name string) time.Time {
	return g.timestamp("pgtenant_survey_last_success_timestamp_seconds", "survey", name)
}

// openDrops returns the drop requests that can still be approved or carried out. It finds recent
// requests in the access log, and then reads the current state of each.
func (c *console) openDrops(ctx context.Context) (open []tenancy.DropRequest, err error) {
	page, err := c.reader.List(ctx, audit.Filter{
		Actions: []audit.Action{
			audit.DropRequested,
		},
		Since: time.Now().Add(-tenancy.MaxDropTTL),
		Order: audit.Newest,
		Limit: 20,
	})
	if err != nil {
		return nil, err
	}
	for _, record := range page.Records {
		number, _ := record.Details["drop_request"].(json.Number)
		id, err := number.Int64()
		if err != nil {
			continue // a refused request has no id
		}
		request, err := c.Tenants.DropRequest(ctx, id)
		if err == nil && time.Now().Before(request.ExpiresAt) {
			open = append(open, request)
		}
	}
	return open, nil
}
