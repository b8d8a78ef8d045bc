package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/examples/school/internal/demo"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

var demoSchools = demo.Schools(basicPlan, premiumPlan)

// reserved returns the short names that no new school can have: those of the demo, which visitors
// can look at, and those that could be taken for the platform's own.
func reserved() []string {
	return append(demo.Slugs(), "account", "accounts", "admin", "administrator", "api", "app", "auth", "billing",
		"console", "help", "localhost", "login", "mail", "metrics", "platform", "root", "schools", "security", "signin",
		"signup", "staff", "static", "status", "support", "www")
}

// createDemo creates the missing schools of the demo. It resumes a school that an earlier start did
// not finish.
func (p *platform) createDemo(ctx context.Context) error {
	for _, school := range demoSchools {
		t, err := p.ensureSchool(ctx, school)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if t.Status != tenancy.Active {
			continue // staff have suspended it
		}
		if err := p.quarantine.Admit(ctx, &t); err != nil {
			continue // the log has the reason
		}
		//tenantvet:allow tenantswitch the demonstration fills its schools before there are requests
		err = schemactx.WithSchema(ctx, t.Schema, func(ctx context.Context) error {
			return p.db.InTx(ctx, func(tx pgx.Tx) error { return demo.Load(ctx, tx, school, p.key.phrase) })
		})
		if err != nil {
			return fmt.Errorf("demo: %s: %w", school.Name, err)
		}
	}
	return nil
}

// ensureSchool creates the school, or completes an existing one. It sets its plan and opens it to
// visitors, also for a school of a version that had neither.
func (p *platform) ensureSchool(ctx context.Context, s demo.School) (tenancy.Tenant, error) {
	t, err := p.tenants.BySlug(ctx, s.Slug)
	switch {
	case errors.Is(err, tenancy.ErrNotFound):
		t, err = p.tenants.Create(ctx, tenancy.CreateParams{Slug: s.Slug, Name: s.Name, Domain: p.schools.DomainOf(s.Slug)})
	case err == nil && t.Status == tenancy.Provisioning:
		t, err = p.tenants.Resume(ctx, s.Slug)
	}
	_, known := t.Limits[visitors]
	if err != nil || t.Status != tenancy.Active || t.Plan != "" && known {
		return t, err
	}
	changes := tenancy.Changes{Limits: map[string]int64{visitors: 1}}
	if t.Plan == "" {
		changes.Plan = &s.Plan
	}
	return p.tenants.Update(ctx, t, changes)
}
