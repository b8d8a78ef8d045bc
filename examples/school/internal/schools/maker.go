package schools

import (
	"context"
	"errors"
	"slices"

	"github.com/oryne/pgtenant/tenancy"
)

// Maker makes schools. It is safe for concurrent use.
type Maker struct {
	Tenants *tenancy.Manager
	Suffix  string   // of the domain of a school that names none: ".localhost"
	Names   []string // of the plans; the first is that of who says nothing
}

// New is a school that is to be.
type New struct {
	Slug, Name, Domain, Plan string
	Admin, Password          string // of its first administrator
}

// DomainOf returns the domain of a school that names none.
func (m *Maker) DomainOf(slug string) string { return slug + m.Suffix }

// Plans returns the names of the plans.
func (m *Maker) Plans() []string { return slices.Clone(m.Names) }

// CheckPlan returns a [tenancy.FieldError] for a plan that there is not.
func (m *Maker) CheckPlan(plan string) error {
	if !slices.Contains(m.Names, plan) {
		return &tenancy.FieldError{Field: "plan", Value: plan, Rule: "is none of ours"}
	}
	return nil
}

// Make makes a school. What is wrong with it is what [Wrong] reads, and nothing was made. A [tenancy.StepError] leaves a school that nobody
// can reach yet, for [tenancy.Manager.Resume].
func (m *Maker) Make(ctx context.Context, n New) (tenancy.Tenant, error) {
	if n.Plan == "" {
		n.Plan = m.Names[0]
	}
	if n.Domain == "" {
		n.Domain = m.DomainOf(n.Slug)
	}
	if err := m.CheckPlan(n.Plan); err != nil {
		return tenancy.Tenant{}, err
	}
	t, err := m.Tenants.Claim(ctx, tenancy.CreateParams{Slug: n.Slug, Name: n.Name, Domain: n.Domain})
	if err != nil {
		return t, err
	}
	return m.Tenants.Update(ctx, t, tenancy.Changes{Plan: &n.Plan})
}

// Wrong returns what is wrong with the fields of a school that could not be made, or nil.
func Wrong(err error) map[string]string {
	var field *tenancy.FieldError
	switch {
	case errors.As(err, &field):
		return map[string]string{field.Field: "It " + field.Rule + "."}
	case errors.Is(err, tenancy.ErrSlugTaken):
		return map[string]string{"slug": "Another school has it."}
	case errors.Is(err, tenancy.ErrDomainTaken):
		return map[string]string{"domain": "Another school has it."}
	}
	return nil
}
