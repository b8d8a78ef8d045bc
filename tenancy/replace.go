package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// Replace puts the staged schema in the place of the tenant's, which is kept aside, with all that
// is in it, until [Manager.ConfirmReplacement] drops it or [Manager.RevertReplacement] takes it
// back. The tenant keeps everything else: its id, slug, domains and status.
//
// It is done in steps, under the tenant's lock: the registry is switched in one statement, which
// also puts an active tenant into maintenance; the schema that was is closed
// ([admin.RevokeAccess]), so that requests of processes that have not heard of it yet fail instead
// of writing where nobody looks; and the tenant is active again. So nobody is served from both.
// Transactions that run are waited for as long as ctx lets it.
//
// A schema has a role of its own. At level [schemactx.Logins] nobody can log in as that of the
// staged schema until [admin.ProvisionLogin] was called for [Staging.Schema], best before this.
//
// Refused are, with nothing changed, what [Manager.StageReplacement] refuses, and [ErrStagingLost].
// A step that fails is a [StepError]: after the first the tenant is in maintenance and has the new
// schema, and [Manager.Resume] goes on, or ConfirmReplacement or RevertReplacement. After a crash
// at any point the same holds.
func (s *Staging) Replace(ctx context.Context) (Tenant, error) {
	if s.adopt != nil || s.staged.TenantID == 0 || s.done {
		return Tenant{}, fmt.Errorf("%s: %w", OpReplace, ErrStagingLost)
	}
	t, err := s.lock.take(ctx, s.staged.TenantID)
	if err != nil {
		return t, fmt.Errorf("%s: %w", OpReplace, s.wrapLost(err))
	}
	defer s.lock.releaseOne(ctx, tenantKey(t.ID))
	if err := s.m.checkReplaceable(ctx, &t); err != nil {
		return t, err
	}
	row := Operation{Op: OpReplace, Schema: t.Schema, Reactivate: t.Status == Active}
	replaced := s.replaceChange(&t)
	steps := append([]step{{name: "switch", write: &replaced}}, s.m.exchangeSteps(&t, row.Reactivate)...)
	err = s.m.runRecorded(ctx, s.lock, OpReplace, &t, row, steps...)
	s.done = s.done || t.Schema == s.staged.Schema
	return t, s.wrapLost(err)
}

// checkReplaceable reports whether another schema can take the place of the tenant's.
func (m *Manager) checkReplaceable(ctx context.Context, t *Tenant) error {
	if err := OpReplace.check(t); err != nil {
		return err
	}
	if err := OpReplace.checkIdle(t); err != nil {
		return err
	}
	retained, err := m.retainedOf(ctx, t.ID)
	switch {
	case err == nil:
		return &ReplacedError{Slug: t.Slug, Retained: retained.Schema}
	case errors.Is(err, ErrNoRetainedSchema):
		return m.checkDependents(ctx, t) // they would stay with the schema that is retained
	}
	return fmt.Errorf("%s of tenant %q: %w", OpReplace, t.Slug, err)
}

// inMaintenance is SQL that keeps requests away from a tenant that is active until the exchange of
// its schemas has ended.
const inMaintenance = "status = case when t.status = 'active' then 'maintenance' else t.status end"

// replaceChange is the switch.
func (s *Staging) replaceChange(t *Tenant) change {
	return change{
		with: `new as (
			delete from {registry}.side_schemas where id = $2 and not used and tenant_id = $1 returning schema_name
		), old as (
			insert into {registry}.side_schemas (schema_name, tenant_id, placement, used)
			select t.schema_name, t.id, t.placement, true from {registry}.tenants t, new where t.id = $1
		), t as (
			update {registry}.tenants as t set schema_name = new.schema_name, ` + inMaintenance + `
			from new where t.id = $1 returning t.*
		)`,
		args: []any{t.ID, s.staged.ID},
		none: ErrStagingLost,
	}
}

// exchangeSteps end an exchange of schemas after the switch. Each can be run again, and changes
// nothing where it is done. reopen says that the switch puts the tenant into maintenance: it is
// active again, unless it was suspended since.
func (m *Manager) exchangeSteps(t *Tenant, reopen bool) []step {
	served := t.unchanged()
	if reopen && t.Status != Suspended {
		served = t.update("status <> 'suspended'", setActive)
	}
	return []step{
		{name: "open", run: func(ctx context.Context) error { return m.restoreAccess(ctx, t) }},
		{name: "close", run: func(ctx context.Context) error { return m.revokeRetained(ctx, t) }},
		{name: "serve", write: &served},
	}
}

// endExchange ends an exchange of the tenant's schemas that was interrupted. Until then, a schema
// that was taken back may be closed, and the other one open.
func (m *Manager) endExchange(ctx context.Context, l *lock, called Op, t *Tenant) error {
	if t.Operation == nil || t.Operation.Op != OpReplace && t.Operation.Op != OpRevert {
		return nil
	}
	return m.resume(ctx, l, called, t)
}

func (m *Manager) restoreAccess(ctx context.Context, t *Tenant) error {
	server, err := m.server(t)
	if err != nil {
		return err
	}
	_, err = admin.RestoreAccess(ctx, server, m.cfg.Roles, t.Schema)
	return err
}

func (m *Manager) revokeRetained(ctx context.Context, t *Tenant) error {
	retained, err := m.retainedOf(ctx, t.ID)
	if err != nil {
		return err
	}
	server, err := m.server(&Tenant{Placement: retained.placement})
	if err != nil {
		return err
	}
	_, err = admin.RevokeAccess(ctx, server, m.cfg.Roles, retained.Schema)
	return err
}
