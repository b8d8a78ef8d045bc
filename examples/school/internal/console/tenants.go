package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/quarantine"
)

// pageSize is the number of schools, or entries of the log, on a page.
const pageSize = 25

// schoolList is a page of the list of schools.
type schoolList struct {
	Search, Status, Plan string
	Statuses             []tenancy.Status
	Tenants              []tenancy.Tenant
	Quarantined          map[string]string // by schema: why the school is in quarantine
	Next                 string            // the address of the next page
}

var statuses = []tenancy.Status{
	tenancy.Active,
	tenancy.Suspended,
	tenancy.Maintenance,
	tenancy.Provisioning,
	tenancy.Dropping,
}

func (c *console) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	l := schoolList{Search: q.Get("q"), Status: q.Get("status"), Plan: q.Get("plan"), Statuses: statuses}
	f := tenancy.Filter{Search: l.Search, Plan: l.Plan, Limit: pageSize}
	if l.Status != "" {
		f.Statuses = []tenancy.Status{tenancy.Status(l.Status)}
	}
	f.After, _ = strconv.ParseInt(q.Get("after"), 10, 64) // an invalid number selects the first page
	page, err := c.Tenants.List(r.Context(), f)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	l.Tenants, l.Quarantined = page.Tenants, make(map[string]string)
	for _, e := range c.Quarantine.List() {
		l.Quarantined[e.Schema] = e.Reason
	}
	if page.Next != 0 {
		q.Set("after", strconv.FormatInt(page.Next, 10))
		l.Next = "?" + q.Encode()
	}
	c.Render(w, r, http.StatusOK, "tenants", c.page(r, "Schools", l))
}

// school is the page of one school.
type school struct {
	tenancy.Details
	Address    string
	Plans      []string
	Operations map[string]bool // the operations that the status allows
	Retained   string          // the schema that a restore has retained
	Backups    []backup.Info   // newest first
	Migrations migrate.Status
	Pending    int
	Edited     int               // migrations whose files have changed since they were applied
	Quarantine *quarantine.Entry // why the school is not served, or nil
	Log        []audit.Record
	Requests   []codeCount
	Size       int64
	Counted    bool // the metrics have series of this school
}

type codeCount struct {
	Code  string
	Count int64
}

// maxBackups is the maximum number of backups that the page lists.
const maxBackups = 8

func (c *console) show(w http.ResponseWriter, r *http.Request) {
	s, err := c.school(r)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.Render(w, r, http.StatusOK, "tenant", c.page(r, s.Tenant.Name, s))
}

func (c *console) school(r *http.Request) (s school, err error) {
	ctx := r.Context()
	if s.Details, err = c.Tenants.Show(ctx, r.PathValue("slug")); err != nil {
		return s, err
	}
	t := &s.Tenant
	if t.Status == tenancy.Stocked { // not assigned to a customer yet
		return s, tenancy.ErrNotFound
	}
	s.Plans = c.Schools.Plans()
	s.Operations = map[string]bool{
		"suspend":     tenancy.OpSuspend.Allowed(t.Status),
		"activate":    t.Status == tenancy.Suspended,
		"maintenance": tenancy.OpStartMaintenance.Allowed(t.Status),
		"serve":       t.Status == tenancy.Maintenance,
		"resume":      t.Status == tenancy.Provisioning || t.Operation != nil && t.Operation.Op != tenancy.OpConfirm,
		"domains":     tenancy.OpAddDomain.Allowed(t.Status),
		"backup":      tenancy.OpReplace.Allowed(t.Status),
	}
	for _, d := range s.Domains {
		if d.Primary {
			s.Address = c.address(d.Host)
		}
	}
	retained, err := c.Tenants.RetainedSchema(ctx, t.Slug)
	if err != nil && !errors.Is(err, tenancy.ErrNoRetainedSchema) {
		return s, err
	}
	s.Retained = retained.Schema
	if s.Backups, err = c.backupsOf(r, t); err != nil {
		return s, err
	}
	s.Migrations, err = c.Runner.Status(ctx, t.Schema)
	if err != nil && !errors.Is(err, migrate.ErrSchemaMissing) {
		return s, err
	}
	s.Quarantine = c.Quarantine.Of(t.Schema)
	s.Edited = len(s.Migrations.Versions(migrate.Changed))
	s.Pending = len(s.Migrations.Versions(migrate.Pending))
	page, err := c.reader.List(ctx, audit.Filter{Tenants: []int64{t.ID}, Order: audit.Newest, Limit: 8})
	if err != nil {
		return s, err
	}
	s.Log = page.Records
	return s, c.measure(&s)
}

func (c *console) backupsOf(r *http.Request, t *tenancy.Tenant) (all []backup.Info, err error) {
	for info, err := range c.Backups.Backups(r.Context(), t.ID) {
		if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b backup.Info) int { return cmp.Compare(b.TakenAt.UnixNano(), a.TakenAt.UnixNano()) })
	return all[:min(len(all), maxBackups)], nil
}

// measure adds the metrics of the school.
func (c *console) measure(s *school) error {
	g, err := look(c.Metrics)
	if err != nil {
		return err
	}
	for _, code := range []string{"2xx", "3xx", "4xx", "5xx"} {
		n, ok := g.sum("pgtenant_http_requests_total", "tenant", s.Tenant.Schema, "code", code)
		s.Counted = s.Counted || ok
		s.Requests = append(s.Requests, codeCount{code, int64(n)})
	}
	s.Size = g.count("pgtenant_schema_size_bytes", "tenant", s.Tenant.Schema)
	return nil
}

// drifted is the comparison of schemas with the result of their migrations.
type drifted struct {
	Slug   string // empty for all schools
	Report drift.Report
	Took   time.Duration
}

func (c *console) driftOf(w http.ResponseWriter, r *http.Request) {
	t, err := c.Tenants.BySlug(r.Context(), r.PathValue("slug"))
	if err != nil {
		c.failed(w, r, err)
		return
	}
	ctx, cancel := operationContext(w, r)
	defer cancel()
	report, err := drift.Check(ctx, c.Runner, []string{t.Schema}, drift.Options{})
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.Render(w, r, http.StatusOK, "drift",
		c.page(r, "Drift of "+t.Name, drifted{t.Slug, report, report.Duration.Round(time.Millisecond)}))
}

// verified is the result of verifying the hash chains of a school's audit entries.
type verified struct {
	Slug   string
	Report audit.Report
}

func (c *console) verify(w http.ResponseWriter, r *http.Request) {
	t, err := c.Tenants.BySlug(r.Context(), r.PathValue("slug"))
	if err != nil {
		c.failed(w, r, err)
		return
	}
	report, err := c.reader.Verify(r.Context(), t.ID)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.Render(w, r, http.StatusOK, "verify", c.page(r, "Access log of "+t.Name, verified{t.Slug, report}))
}
