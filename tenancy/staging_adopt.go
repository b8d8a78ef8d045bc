package tenancy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
)

// AdoptParams say what tenant a staged schema becomes.
type AdoptParams struct {
	Slug    string   // see [ValidateSlug]
	Name    string   // display name, see [ValidateDisplayName]; default: Slug
	Domain  string   // its primary domain, normalised by [NormalizeHost]; not an IP address; default: none
	Domains []string // others, verified by the platform's word; only with Domain; default: none

	Status   Status           // [Active], [Suspended] or [Maintenance]; default: Active
	Reason   string           // of another status than Active; default: none
	Plan     string           // default: none
	Limits   map[string]int64 // default: none
	Metadata json.RawMessage  // a JSON object; default: {}
}

func (p AdoptParams) validate() (AdoptParams, error) {
	create, err := CreateParams{Slug: p.Slug, Name: p.Name, Domain: p.Domain}.validate()
	if err != nil {
		return p, err
	}
	p.Name, p.Domain, p.Status = create.Name, create.Domain, cmp.Or(p.Status, Active)
	hosts := make([]string, len(p.Domains))
	for i, d := range p.Domains {
		if hosts[i], err = normalizeDomain(d); err != nil {
			return p, err
		}
	}
	p.Domains = hosts
	switch {
	case p.Domain == "" && len(hosts) > 0:
		return p, &FieldError{Field: "domain", Value: "", Rule: "is missing where there are other domains"}
	case p.Status != Active && p.Status != Suspended && p.Status != Maintenance:
		return p, &FieldError{Field: "status", Value: string(p.Status), Rule: "is not one that a tenant can begin with"}
	case p.Status == Active && p.Reason != "":
		return p, &FieldError{Field: "reason", Value: p.Reason, Rule: "is given for a tenant that is active"}
	}
	if err := validateReason(p.Reason); err != nil {
		return p, err
	}
	if p.Limits == nil {
		p.Limits = map[string]int64{}
	}
	if len(p.Metadata) == 0 {
		p.Metadata = json.RawMessage("{}")
	}
	return p, Changes{Plan: &p.Plan, Limits: p.Limits, Metadata: p.Metadata}.validate()
}

// checkAdoptable refuses what is taken by now. Who comes first at the end is decided by the constraints.
func (m *Manager) checkAdoptable(ctx context.Context, p AdoptParams) error {
	var slug, domain bool
	err := m.registry.QueryRow(ctx, `select exists (select from {registry}.tenants where slug = $1),
		exists (select from {registry}.domains where host = any($2) and verified_at is not null)`,
		p.Slug, append([]string{p.Domain}, p.Domains...)).Scan(&slug, &domain)
	switch {
	case err != nil:
		return initialized(err)
	case slug:
		return ErrSlugTaken
	case domain:
		return ErrDomainTaken
	}
	return nil
}

// Adopt makes the staged schema a new tenant with what [Manager.StageTenant] was given: one
// statement, before which nothing of the tenant is to be seen. Neither migrations nor [Config].Seed
// run: the schema is taken as it is.
//
// The error is [ErrSlugTaken], [ErrDomainTaken] or [ErrStagingLost], each in a [StepError], or a
// hook's, and nothing was changed; or the connection's, after which the tenant may be there.
func (s *Staging) Adopt(ctx context.Context) (Tenant, error) {
	if s.adopt == nil || s.done {
		return Tenant{}, fmt.Errorf("%s: %w", OpAdopt, ErrStagingLost)
	}
	t := Tenant{
		ID: s.staged.TenantID, Schema: s.staged.Schema, Slug: s.adopt.Slug, Name: s.adopt.Name,
		Status: Provisioning, Placement: s.staged.placement,
	}
	adopted := s.adoptChange()
	err := s.m.run(ctx, s.lock, OpAdopt, &t, step{name: "insert", write: &adopted})
	s.done = err == nil
	return t, s.wrapLost(err)
}

func (s *Staging) adoptChange() change {
	p := s.adopt
	return change{
		with: `side as (
			delete from {registry}.side_schemas where id = $1 and not used returning schema_name, tenant_id, placement
		), hosts as (
			insert into {registry}.domains (tenant_id, host, is_primary, verified_at)
			select tenant_id, host, host = $4, now() from side,
				(select distinct unnest($5::text[] || nullif($4::text, '')) as host) h where host is not null
		), t as (
			insert into {registry}.tenants (id, schema_name, slug, name, status, reason, plan, limits, metadata, placement)
			select tenant_id, schema_name, $2, $3, $6, $7, $8, $9, $10, placement from side returning *
		)`,
		args: []any{
			s.staged.ID, p.Slug, p.Name, p.Domain, p.Domains, p.Status, p.Reason, p.Plan, p.Limits, p.Metadata,
		},
		none: ErrStagingLost,
	}
}
