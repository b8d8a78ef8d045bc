package tenancy

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// ConfirmReplacement drops the schema that a replacement has set aside: for good. schema is its name, as [Manager.Aside]
// gives it, so that nobody drops another one than was looked at. It returns the tenant.
//
// It destroys data, and so needs what [DropConfig] demands of [Manager.Drop]: Enabled, a token of
// [Manager.RequestConfirm] for that schema, a second person's approval, a backup of that schema that
// was fresh when it was replaced (see [SchemaBackups]), and the [Approver]. It returns the same
// errors, before anything has changed, and sends the same events, with the schema.
//
// A tenant that has no such schema is [ErrNothingAside]. Where something outside of the schema depends on it, the error
// wraps a [admin.DependentsError] and the schema stays; with a [StepError], and after a crash,
// the same call goes on. The token is valid for all these calls until it expires; after that it
// takes a new request.
func (m *Manager) ConfirmReplacement(ctx context.Context, p DropParams, schema string) (Tenant, error) {
	e := DropEvent{Op: OpConfirm, Actor: p.Actor, Slug: p.Slug, Schema: schema}
	if err := m.mayDrop(p.Actor); err != nil {
		return Tenant{}, m.outcome(ctx, e, DropRefused, err)
	}
	started := false
	t, err := m.locked(ctx, OpConfirm, p.Slug, func(l *lease, t *Tenant) error {
		ctx, over := m.begin(ctx)
		defer over()
		e.Tenant = *t
		side, err := m.sideNamed(ctx, t, schema)
		if err != nil {
			return fmt.Errorf("%s of tenant %q: %w", OpConfirm, p.Slug, err)
		}
		if e.RequestID, err = m.checkConfirm(ctx, t, &side, p); err != nil {
			return err
		}
		started = true
		_ = m.outcome(ctx, e, DropStarted, nil)
		return m.confirm(ctx, l, t, &side, e.RequestID)
	})
	switch {
	case err != nil && !started:
		return t, m.outcome(ctx, e, DropRefused, err)
	case err != nil:
		e.Phase, e.Err = DropStopped, err
	default:
		e.Phase = DropDone
	}
	e.Tenant = t
	m.tell(ctx, e)
	return t, err
}

// confirm takes the steps, under the tenant's lock. Each can be run again.
func (m *Manager) confirm(ctx context.Context, l *lease, t *Tenant, side *SideSchema, request int64) error {
	var steps []step
	if side.State == SideAside {
		steps = append(m.exchangeSteps(t), step{"mark", func(ctx context.Context) error { return m.markAside(ctx, side) }})
	}
	return m.run(ctx, l, OpConfirm, t, append(steps, step{"drop", func(ctx context.Context) error {
		if err := m.dropSide(ctx, side); err != nil {
			return err
		}
		_, err := m.registry.Exec(ctx, "update {registry}.drop_requests set used_at = now() where id = $1", request)
		return err
	}})...)
}

// sideNamed returns the schema that was the tenant's, if it has the name.
func (m *Manager) sideNamed(ctx context.Context, t *Tenant, schema string) (SideSchema, error) {
	if !storable(schema) {
		return SideSchema{}, ErrNothingAside
	}
	all, err := m.sides(ctx, "s.tenant_id = $1 and s.used and s.schema_name = $2", t.ID, schema)
	if err == nil && len(all) == 0 {
		err = ErrNothingAside
	}
	if err != nil {
		return SideSchema{}, err
	}
	return all[0], nil
}

// checkSideDependents returns a [admin.DependentsError] if objects outside of the schema depend
// on it.
func (m *Manager) checkSideDependents(ctx context.Context, side *SideSchema) error {
	server, err := m.server(&Tenant{Placement: side.placement})
	if err != nil {
		return err
	}
	return admin.CheckDependents(ctx, server, side.Schema)
}

// markAside marks a schema to be dropped, if it could be.
func (m *Manager) markAside(ctx context.Context, side *SideSchema) error {
	if err := m.checkSideDependents(ctx, side); err != nil {
		return err
	}
	marked, err := m.markSide(ctx, side, SideDropping)
	if err == nil && !marked {
		err = ErrNothingAside
	}
	return err
}

// RevertReplacement takes the schema back that a replacement has set aside, as it was then, migrated up to date, and sets
// the one aside that had taken its place: nothing is dropped, and another revert takes that back. schema is the name of
// the one to take back, as [Manager.Aside] gives it. Tokens of [Manager.RequestConfirm] for it are not valid any more.
//
// The steps are those of [Staging.Replace], behind the migration, and so are the errors; a tenant that has no such schema
// is [ErrNothingAside]. After a [StepError] or a crash the same call goes on.
func (m *Manager) RevertReplacement(ctx context.Context, slug, schema string) (Tenant, error) {
	return m.locked(ctx, OpRevert, slug, func(l *lease, t *Tenant) error {
		if t.NextSchema != "" {
			return &RenamingError{Tenant: *t, Schema: t.NextSchema}
		}
		if t.Schema == schema {
			if steps, err := m.unended(ctx, t); err != nil {
				return fmt.Errorf("%s of tenant %q: %w", OpRevert, slug, err)
			} else if len(steps) > 0 {
				return m.run(ctx, l, OpRevert, t, steps...) // the switch was done
			}
		}
		side, err := m.sideNamed(ctx, t, schema)
		if err == nil && side.State != SideAside {
			err = ErrNothingAside
		}
		if err != nil {
			return fmt.Errorf("%s of tenant %q: %w", OpRevert, slug, err)
		}
		return m.run(ctx, l, OpRevert, t, append([]step{
			{"migrate", func(ctx context.Context) error { return m.migrateUnused(ctx, side.Schema) }},
			{"switch", func(ctx context.Context) error { return m.swap(ctx, t, &side) }},
		}, m.exchangeSteps(t)...)...)
	})
}

// swap is the switch back: one statement. It deletes requests to drop the schema: if that is set aside
// again, it has rows that nobody has agreed to drop.
func (m *Manager) swap(ctx context.Context, t *Tenant, side *SideSchema) error {
	return m.change(ctx, t, `with old as (
			update {registry}.side_schemas s set schema_name = t.schema_name, since = now(), reopen = s.reopen or t.status = 'active'
			from {registry}.tenants t where t.id = $1 and s.tenant_id = t.id and s.id = $2 and s.state = 'aside' and s.schema_name = $3 returning s.id
		), requests as (
			delete from {registry}.drop_requests where tenant_id = $1 and schema_name = $3 and exists (select from old)
		)
		update {registry}.tenants as t set schema_name = $3, `+inMaintenance+`
		from old where t.id = $1 returning `+tenantDetailsColumns, side.ID, side.Schema)
}
