package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// ConfirmReplacement drops a retained schema permanently, and returns the tenant. schema is the
// name that [Manager.RetainedSchema] returns. Without it, a caller could drop another schema than
// the one that was checked.
//
// It needs what [DropConfig] requires for [Manager.Drop]: Enabled, a token of
// [Manager.RequestConfirm] for that schema, the approval of a second person, a backup of that
// schema that was fresh when it was replaced (see [SchemaBackups]), and the [Approver]. It returns
// the same errors before anything has changed. It sends the same events, with the schema.
//
// The error is [ErrNoRetainedSchema] for a tenant without a retained schema of that name. If
// objects outside of the schema depend on it, the error wraps an [admin.DependentsError] and the
// schema stays. After a [StepError] or a crash, the same call continues. The token is valid for all
// these calls until it expires. After that, a new request is needed.
func (m *Manager) ConfirmReplacement(ctx context.Context, p DropParams, schema string) (Tenant, error) {
	e := DropEvent{Op: OpConfirm, Actor: p.Actor, Slug: p.Slug, Schema: schema}
	if err := m.checkDropAllowed(p.Actor); err != nil {
		return Tenant{}, m.outcome(ctx, e, DropRefused, err)
	}
	started := false
	t, err := m.locked(ctx, OpConfirm, p.Slug, func(l *lock, t *Tenant) error {
		ctx, end := m.begin(ctx)
		defer end()
		e.Tenant = *t
		side, err := m.retainedNamed(ctx, t, schema)
		if errors.Is(err, ErrNoRetainedSchema) && t.confirming(schema) {
			return l.endConfirmed(ctx, OpConfirm, t)
		}
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
	case !started: // a process of an earlier release has dropped the schema
		return t, nil
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

// endConfirmed ends a confirmation whose retained schema is gone from the registry, else it returns
// a [BusyError]. A process of an earlier release that has begun the confirmation can end it without
// a write to the operation.
func (l *lock) endConfirmed(ctx context.Context, called Op, t *Tenant) error {
	ended := t.unchanged()
	ended.with = `t as (select * from {registry}.tenants where id = $1 and not exists (
		select from {registry}.side_schemas where tenant_id = $1 and used and schema_name = $2))`
	ended.args = append(ended.args, t.Operation.Schema)
	ended.none = &BusyError{Op: called, Tenant: *t}
	return l.change(ctx, t, ended, &Operation{})
}

// confirm runs the steps, under the tenant's lock. Before them it completes the replacement that
// has left the retained schema. If the drop is refused before anything is gone, it ends the
// operation, unless an earlier call has already deleted something.
func (m *Manager) confirm(
	ctx context.Context, l *lock, t *Tenant, side *AuxiliarySchema, p DropParams, request int64,
) error {
	if err := m.endExchange(ctx, l, OpConfirm, t); err != nil {
		return err
	}
	begun := t.confirming(side.Schema)
	marked, dropped := t.unchanged(), t.unchanged()
	dropped.with += `, side as (delete from {registry}.side_schemas where id = $2),
		request as (update {registry}.drop_requests set used_at = now() where id = $3)`
	dropped.args = append(dropped.args, side.ID, request)
	steps := []step{
		{name: "mark", write: &marked, run: func(ctx context.Context) error { return m.checkRetainedDependents(ctx, side) }},
		{name: "drop", write: &dropped, run: func(ctx context.Context) error {
			refused, err := m.deprovisionAuxiliary(ctx, side)
			if refused && !begun {
				err = errors.Join(err, l.change(ctx, t, t.unchanged(), &Operation{}))
			}
			return err
		}},
	}
	if begun {
		steps = steps[1:]
	}
	return m.runRecorded(ctx, l, OpConfirm, t, Operation{Op: OpConfirm, Actor: p.Actor, Schema: side.Schema}, steps...)
}

// retainedNamed returns the tenant's retained schema if it has that name, else
// [ErrNoRetainedSchema].
func (m *Manager) retainedNamed(ctx context.Context, t *Tenant, schema string) (AuxiliarySchema, error) {
	if !storable(schema) {
		return AuxiliarySchema{}, ErrNoRetainedSchema
	}
	return m.retainedWhere(ctx, t.ID, "s.schema_name = $2", schema)
}

// checkRetainedDependents returns an [admin.DependentsError] if objects outside of the schema
// depend on it.
func (m *Manager) checkRetainedDependents(ctx context.Context, side *AuxiliarySchema) error {
	server, err := m.server(&Tenant{Placement: side.placement})
	if err != nil {
		return err
	}
	return admin.CheckDependents(ctx, server, side.Schema)
}

// RevertReplacement makes the retained schema the tenant's schema again. It migrates the retained
// schema, which otherwise is as it was when it was replaced. The schema that had replaced it
// becomes the retained schema. Nothing is dropped, and another revert exchanges the two again.
// schema is the name that [Manager.RetainedSchema] returns. Tokens of [Manager.RequestConfirm] for
// it become invalid.
//
// After the migration, steps and errors are those of [Staging.Replace]. The error is
// [ErrNoRetainedSchema] for a tenant without a retained schema of that name. After a [StepError] or
// a crash, the same call continues.
func (m *Manager) RevertReplacement(ctx context.Context, slug, schema string) (Tenant, error) {
	return m.locked(ctx, OpRevert, slug, func(l *lock, t *Tenant) error {
		if o := t.Operation; o != nil && o.Op == OpRevert && o.Schema == schema {
			return m.resume(ctx, l, OpRevert, t)
		}
		row := Operation{Op: OpRevert, Schema: schema, Reactivate: t.Status == Active}
		if t.Operation != nil && t.Operation.Op == OpReplace { // the revert continues instead of the replacement
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
		steps := append([]step{migrate}, m.revertSteps(t, schema, row.Reactivate)...)
		return m.runRecorded(ctx, l, OpRevert, t, row, steps...)
	})
}

// revertSteps returns the steps of a revert that follow the migration.
func (m *Manager) revertSteps(t *Tenant, schema string, reopen bool) []step {
	taken := revertChange(t, schema)
	return append([]step{{name: "switch", write: &taken}}, m.exchangeSteps(t, reopen)...)
}

// revertChange exchanges the tenant's schema and the retained schema in the registry. It deletes
// the requests to drop the retained schema: if the schema is retained again later, it may have
// other rows than those that the request has shown.
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
