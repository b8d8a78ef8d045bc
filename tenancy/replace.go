package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// Replace makes the staged schema the tenant's schema. The former schema becomes the tenant's
// retained schema, with all its data, until [Manager.ConfirmReplacement] drops it or
// [Manager.RevertReplacement] makes it the tenant's schema again. The tenant keeps its id, slug,
// domains and status.
//
// Replace works in steps, under the tenant's lock. One statement switches the registry to the new
// schema and puts an active tenant into maintenance. Then access to the former schema is revoked
// ([admin.RevokeAccess]), so that a process that does not know the switch yet gets errors and
// cannot write to it. Then the tenant is active again. So at no time both schemas serve requests.
// Replace waits for running transactions until ctx ends.
//
// Each schema has a role of its own. At level [schemactx.Logins], call [admin.ProvisionLogin] for
// [Staging.Schema] before Replace, because the role of the staged schema has no login.
//
// The error is [ErrStagingLost] or as for [Manager.StageReplacement], and nothing was changed. If a
// step fails, the error is a [StepError]. After the first step, the tenant has the new schema and
// is in maintenance. [Manager.Resume], [Manager.ConfirmReplacement] or [Manager.RevertReplacement]
// continues from there, also after a crash.
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

// checkReplaceable returns an error if the tenant's schema cannot be replaced now.
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
		return m.checkDependents(ctx, t) // they would still refer to the retained schema
	}
	return fmt.Errorf("%s of tenant %q: %w", OpReplace, t.Slug, err)
}

// inMaintenance is SQL that puts an active tenant into maintenance, until the exchange of its
// schemas has ended.
const inMaintenance = "status = case when t.status = 'active' then 'maintenance' else t.status end"

// replaceChange makes the staged schema the tenant's schema, and the former one its retained
// schema.
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

// exchangeSteps returns the steps of a replacement or its revert that follow the switch. reopen
// says whether the switch has put the tenant into maintenance. If so, the last step makes it
// active, unless it was suspended in the meantime.
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

// endExchange completes an interrupted replacement or revert. Until then, the roles may have access
// to the wrong one of the two schemas.
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

// revokeRetained revokes the access to all retained schemas, of which one may be gone.
func (m *Manager) revokeRetained(ctx context.Context, t *Tenant) error {
	retained, err := m.allRetained(ctx, t.ID)
	if err != nil {
		return err
	}
	for _, s := range retained {
		server, err := m.server(&Tenant{Placement: s.placement})
		if err != nil {
			return err
		}
		_, err = admin.RevokeAccess(ctx, server, m.cfg.Roles, s.Schema)
		if err != nil && !errors.Is(err, schemactx.ErrSchemaMissing) {
			return err
		}
	}
	return nil
}
