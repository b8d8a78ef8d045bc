package tenancy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
)

// AdoptParams describe the tenant that [Staging.Adopt] makes of a staged schema.
type AdoptParams struct {
	Slug    string   // see [ValidateSlug]
	Name    string   // display name, see [ValidateDisplayName]; default: Slug
	Domain  string   // primary domain, normalised by [NormalizeHost]; not an IP address; default: none
	Domains []string // further domains, which count as verified; only with Domain; default: none

	Status   Status           // [Active], [Suspended] or [Maintenance]; default: Active
	Reason   string           // only if Status is not Active; default: none
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
		return p, &FieldError{Field: "domain", Value: "", Rule: "is missing, but there are other domains"}
	case p.Status != Active && p.Status != Suspended && p.Status != Maintenance:
		return p, &FieldError{Field: "status", Value: string(p.Status), Rule: "is not a status that a new tenant can have"}
	case p.Status == Active && p.Reason != "":
		return p, &FieldError{Field: "reason", Value: p.Reason, Rule: "is set, but the tenant is active"}
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

// checkAdoptable returns an error if the slug or a domain is taken. The unique constraints check it
// again in Adopt.
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

// Adopt makes the staged schema a new tenant with the parameters of [Manager.StageTenant]. It is
// one statement: before it, the registry has nothing of the tenant. Adopt does not migrate the
// schema and does not call [Config].Seed.
//
// The error is a [StepError] that wraps [ErrSlugTaken], [ErrDomainTaken], [ErrStagingLost] or the
// error of a hook. Then nothing was changed. If the connection fails, the tenant may exist.
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
