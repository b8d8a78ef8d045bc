package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// Replace puts the staged schema in the place of the tenant's, which is kept aside, with all that is in it, until
// [Manager.ConfirmReplacement] drops it or [Manager.RevertReplacement] takes it back. The tenant keeps everything else: its
// id, slug, domains and status.
//
// It is done in steps, under the tenant's lock: the registry is switched in one statement, which also puts an active
// tenant into maintenance; the schema that was is closed ([admin.RevokeAccess]), so that requests of processes that
// have not heard of it yet fail instead of writing where nobody looks; and the tenant is active again. So nobody is
// served from both. Transactions that run are waited for as long as ctx lets it.
//
// A schema has a role of its own. At level [schemactx.Logins] nobody can log in as that of the staged schema until
// [admin.ProvisionLogin] was called for [Staging.Schema], best before this.
//
// Refused are, with nothing changed, what [Manager.StageReplacement] refuses, and [ErrStagingLost]. A step that fails is
// a [StepError]: after the first the tenant is in maintenance and has the new schema, and [Manager.Resume] goes on, or
// ConfirmReplacement or RevertReplacement. After a crash at any point the same holds.
func (s *Staging) Replace(ctx context.Context) (Tenant, error) {
	if s.adopt != nil || s.side.TenantID == 0 || s.done {
		return Tenant{}, fmt.Errorf("%s: %w", OpReplace, ErrStagingLost)
	}
	t, l, err := s.m.lockByID(ctx, s.side.TenantID)
	if err != nil {
		return t, fmt.Errorf("%s: %w", OpReplace, err)
	}
	defer l.release(ctx)
	if err := s.m.replaceable(ctx, &t); err != nil {
		return t, err
	}
	steps := append([]step{{"switch", func(ctx context.Context) error { return s.replace(ctx, &t) }}}, s.m.exchangeSteps(&t)...)
	err = s.m.run(ctx, l, OpReplace, &t, steps...)
	return t, err
}

// replaceable reports whether another schema can take the place of the tenant's.
func (m *Manager) replaceable(ctx context.Context, t *Tenant) error {
	if err := OpReplace.check(t); err != nil {
		return err
	}
	if t.NextSchema != "" {
		return &RenamingError{Tenant: *t, Schema: t.NextSchema}
	}
	aside, err := m.asideOf(ctx, t.ID)
	switch {
	case err == nil:
		return &ReplacedError{Slug: t.Slug, Aside: aside.Schema}
	case errors.Is(err, ErrNothingAside):
		return m.checkDependents(ctx, t) // they would stay with the schema that is set aside
	}
	return fmt.Errorf("%s of tenant %q: %w", OpReplace, t.Slug, err)
}

// inMaintenance is SQL that keeps requests away from a tenant that is active until the exchange of its schemas has ended.
const inMaintenance = "status = case when t.status = 'active' then 'maintenance' else t.status end"

// replace is the switch: one statement.
func (s *Staging) replace(ctx context.Context, t *Tenant) error {
	err := s.m.change(ctx, t, `with new as (
			delete from {registry}.side_schemas where id = $2 and state = 'building' and tenant_id = $1 returning schema_name
		), old as (
			insert into {registry}.side_schemas (schema_name, tenant_id, placement, state, used, reopen)
			select t.schema_name, t.id, t.placement, 'aside', true, t.status = 'active' from {registry}.tenants t, new where t.id = $1
		)
		update {registry}.tenants as t set schema_name = new.schema_name, `+inMaintenance+`
		from new where t.id = $1 returning `+tenantDetailsColumns, s.side.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrStagingLost
	}
	s.done = s.done || err == nil
	return err
}

// exchangeSteps end an exchange of schemas behind the switch. Each can be run again, and changes nothing where it is done.
func (m *Manager) exchangeSteps(t *Tenant) []step {
	return []step{
		{"open", func(ctx context.Context) error { return m.unseal(ctx, t) }},
		{"close", func(ctx context.Context) error { return m.sealAside(ctx, t) }},
		{"serve", func(ctx context.Context) error { return m.serveAgain(ctx, t) }},
	}
}

// unended returns the steps that an exchange of the tenant's schemas lacks that has not ended, or none. Who serves the tenant
// again has to take them first: a schema that was taken back is closed until then, and the other one open.
func (m *Manager) unended(ctx context.Context, t *Tenant) ([]step, error) {
	aside, err := m.asideOf(ctx, t.ID)
	if errors.Is(err, ErrNothingAside) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	mine, err := m.enterable(ctx, t.Placement, t.Schema)
	if err != nil {
		return nil, err
	}
	others, err := m.enterable(ctx, aside.placement, aside.Schema)
	if err != nil || mine && !others && !aside.reopen {
		return nil, err
	}
	return m.exchangeSteps(t), nil
}

// enterable reports whether a schema is open to the role that is made for it.
func (m *Manager) enterable(ctx context.Context, placement, schema string) (is bool, err error) {
	server, err := m.server(&Tenant{Placement: placement})
	if err != nil {
		return false, err
	}
	err = server.QueryRow(ctx, `select exists (select from pg_namespace n, aclexplode(n.nspacl) a join pg_roles r on r.oid = a.grantee
		where n.nspname = $1 and r.rolname = $2 and a.privilege_type = 'USAGE')`, schema, m.cfg.Roles.Tenant(schema)).Scan(&is)
	return is, err
}

func (m *Manager) unseal(ctx context.Context, t *Tenant) error {
	server, err := m.server(t)
	if err != nil {
		return err
	}
	_, err = admin.RestoreAccess(ctx, server, m.cfg.Roles, t.Schema)
	return err
}

func (m *Manager) sealAside(ctx context.Context, t *Tenant) error {
	aside, err := m.asideOf(ctx, t.ID)
	if err != nil {
		return err
	}
	server, err := m.server(&Tenant{Placement: aside.placement})
	if err != nil {
		return err
	}
	_, err = admin.RevokeAccess(ctx, server, m.cfg.Roles, aside.Schema)
	return err
}

// serveAgain ends the maintenance that the switch has begun, unless somebody has given the tenant another status since.
func (m *Manager) serveAgain(ctx context.Context, t *Tenant) error {
	_, err := m.writeExec(ctx, `with aside as (
			update {registry}.side_schemas set reopen = false where tenant_id = $1 and state = 'aside' and reopen returning tenant_id
		)
		update {registry}.tenants t set `+activeAgain+` from aside where t.id = aside.tenant_id and t.status = 'maintenance'`, t.ID)
	if err != nil {
		return err
	}
	now, err := m.ByID(ctx, t.ID)
	if err == nil {
		*t = now
	}
	return err
}
