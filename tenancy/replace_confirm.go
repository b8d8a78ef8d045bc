package tenancy

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// ConfirmReplacement drops the schema that a replacement has set aside: for good. schema is its
// name, as [Manager.RetainedSchema] gives it, so that nobody drops another one than was looked at. It
// returns the tenant.
//
// It destroys data, and so needs what [DropConfig] demands of [Manager.Drop]: Enabled, a token of
// [Manager.RequestConfirm] for that schema, a second person's approval, a backup of that schema
// that was fresh when it was replaced (see [SchemaBackups]), and the [Approver]. It returns the
// same errors, before anything has changed, and sends the same events, with the schema.
//
// A tenant that has no such schema is [ErrNoRetainedSchema]. Where something outside of the schema
// depends on it, the error wraps a [admin.DependentsError] and the schema stays; with a
// [StepError], and after a crash, the same call goes on. The token is valid for all these calls
// until it expires; after that it takes a new request.
func (m *Manager) ConfirmReplacement(ctx context.Context, p DropParams, schema string) (Tenant, error) {
	e := DropEvent{Op: OpConfirm, Actor: p.Actor, Slug: p.Slug, Schema: schema}
	if err := m.checkDropAllowed(p.Actor); err != nil {
		return Tenant{}, m.outcome(ctx, e, DropRefused, err)
	}
	started := false
	t, err := m.locked(ctx, OpConfirm, p.Slug, func(l *lock, t *Tenant) error {
		ctx, over := m.begin(ctx)
		defer over()
		e.Tenant = *t
		side, err := m.retainedNamed(ctx, t, schema)
		if err != nil {
			return fmt.Errorf("%s of tenant %q: %w", OpConfirm, p.Slug, err)
		}
		if o := t.Operation; o != nil && o.Op != OpReplace && o.Op != OpRevert && !t.confirming(schema) {
			return &BusyError{Op: OpConfirm, Tenant: *t}
		}
		if e.RequestID, err = m.checkConfirm(ctx, t, &side, t.confirming(schema), p); err != nil {
			return err
		}
		started = true
		_ = m.outcome(ctx, e, DropStarted, nil)
		return m.confirm(ctx, l, t, &side, p, e.RequestID)
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
	m.notify(ctx, e)
	return t, err
}

// confirming reports whether the drop of the retained schema has begun.
func (t *Tenant) confirming(schema string) bool {
	return t.Operation != nil && t.Operation.Op == OpConfirm && t.Operation.Schema == schema
}

// confirm runs the steps, under the tenant's lock, after it has ended the exchange that has
// retained the schema.
func (m *Manager) confirm(
	ctx context.Context, l *lock, t *Tenant, side *AuxiliarySchema, p DropParams, request int64,
) error {
	if err := m.endExchange(ctx, l, OpConfirm, t); err != nil {
		return err
	}
	marked, dropped := t.unchanged(), t.unchanged()
	dropped.with += `, side as (delete from {registry}.side_schemas where id = $2),
		request as (update {registry}.drop_requests set used_at = now() where id = $3)`
	dropped.args = append(dropped.args, side.ID, request)
	steps := []step{
		{name: "mark", write: &marked, run: func(ctx context.Context) error { return m.checkRetainedDependents(ctx, side) }},
		{name: "drop", write: &dropped, run: func(ctx context.Context) error { return m.deprovisionAuxiliary(ctx, side) }},
	}
	if t.confirming(side.Schema) {
		steps = steps[1:]
	}
	return m.runRecorded(ctx, l, OpConfirm, t, Operation{Op: OpConfirm, Actor: p.Actor, Schema: side.Schema}, steps...)
}

// retainedNamed returns the schema that was the tenant's, if it has the name.
func (m *Manager) retainedNamed(ctx context.Context, t *Tenant, schema string) (AuxiliarySchema, error) {
	if !storable(schema) {
		return AuxiliarySchema{}, ErrNoRetainedSchema
	}
	return m.retainedWhere(ctx, t.ID, "s.schema_name = $2", schema)
}

// checkRetainedDependents returns a [admin.DependentsError] if objects outside of the schema depend
// on it.
func (m *Manager) checkRetainedDependents(ctx context.Context, side *AuxiliarySchema) error {
	server, err := m.server(&Tenant{Placement: side.placement})
	if err != nil {
		return err
	}
	return admin.CheckDependents(ctx, server, side.Schema)
}

// RevertReplacement takes the schema back that a replacement has set aside, as it was then,
// migrated up to date, and sets the one aside that had taken its place: nothing is dropped, and
// another revert takes that back. schema is the name of the one to take back, as [Manager.RetainedSchema]
// gives it. Tokens of [Manager.RequestConfirm] for it are not valid any more.
//
// The steps are those of [Staging.Replace], behind the migration, and so are the errors; a tenant
// that has no such schema is [ErrNoRetainedSchema]. After a [StepError] or a crash the same call goes
// on.
func (m *Manager) RevertReplacement(ctx context.Context, slug, schema string) (Tenant, error) {
	return m.locked(ctx, OpRevert, slug, func(l *lock, t *Tenant) error {
		if o := t.Operation; o != nil && o.Op == OpRevert && o.Schema == schema {
			return m.resume(ctx, l, OpRevert, t)
		}
		row := Operation{Op: OpRevert, Schema: schema, Reactivate: t.Status == Active}
		if t.Operation != nil && t.Operation.Op == OpReplace { // instead of what is left of it
			row.Reactivate = t.Operation.Reactivate
		} else if err := OpRevert.checkIdle(t); err != nil {
			return err
		}
		side, err := m.retainedNamed(ctx, t, schema)
		if err != nil {
			return fmt.Errorf("%s of tenant %q: %w", OpRevert, slug, err)
		}
		migrate := step{name: "migrate", run: func(ctx context.Context) error {
			return m.migrateUnused(ctx, side.Schema)
		}}
		return m.runRecorded(ctx, l, OpRevert, t, row, append([]step{migrate}, m.revertSteps(t, schema, row.Reactivate)...)...)
	})
}

// revertSteps take the retained schema back.
func (m *Manager) revertSteps(t *Tenant, schema string, reopen bool) []step {
	taken := revertChange(t, schema)
	return append([]step{{name: "switch", write: &taken}}, m.exchangeSteps(t, reopen)...)
}

// revertChange is the switch back. It deletes requests to drop the schema: if that is retained again,
// it has rows whose drop was never requested.
func revertChange(t *Tenant, schema string) change {
	return change{
		with: `old as (
			update {registry}.side_schemas s set schema_name = t.schema_name, since = now()
			from {registry}.tenants t where t.id = $1 and s.tenant_id = t.id and s.used and s.schema_name = $2 returning s.id
		), requests as (
			delete from {registry}.drop_requests where tenant_id = $1 and schema_name = $2 and exists (select from old)
		), t as (
			update {registry}.tenants as t set schema_name = $2, ` + inMaintenance + ` from old where t.id = $1 returning t.*
		)`,
		args: []any{t.ID, schema},
	}
}
