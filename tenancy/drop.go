package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// DropParams say which tenant to drop and authorise the drop.
type DropParams struct {
	Slug  string // the tenant's slug
	Token string // from [Manager.RequestDrop]
	Actor string // the person who drops, the same as in RequestDrop
	Proof string // for [DropConfig].Approve, such as a one-time password; default: none
}

// Drop deletes a tenant permanently: its schema with all tables, its role, its retained schema
// ([Manager.RetainedSchema]), its domains and its row. Only a backup can restore it. Drop returns
// the tenant's last row. Afterwards the slug and the domains are free. The schema name is never
// reused.
//
// Drop checks these conditions in this order, and changes nothing if one fails: drops are enabled
// ([ErrDropDisabled]); the actor is valid ([FieldError]); the tenant exists ([ErrNotFound]); the
// token is valid ([ErrDropToken]) and has not expired ([ErrDropExpired]); a second person has
// approved, if [DropConfig].FourEyes is set ([ErrDropNotApproved]); no rename of the schema has
// begun and not ended (a [BusyError]); the schema's name is valid ([schemactx.NameError]); no
// session builds a replacement of the schema ([ErrStatus]); there is a fresh backup of the tenant,
// and one of its retained schema as for [Manager.ConfirmReplacement] ([BackupError]); no object
// outside of the schemas depends on them ([admin.DependentsError]); and [DropConfig].Approve agrees
// ([ErrDropNotApproved], with its error).
//
// Then the status becomes [Dropping], so that every process refuses the tenant's requests, and its
// role loses its privileges. Running transactions may complete, or fail because their tables are
// gone. Drop waits until ctx ends for transactions that hold locks on the tables.
//
// If a step fails, the error is a [StepError] and the tenant stays in status Dropping. Drop
// continues with the same token while it is valid, or with that of a new request. It does not check
// the backup again, because part of the data may be gone. After a crash the same holds. Of two
// drops at the same time, the second returns [ErrNotFound].
func (m *Manager) Drop(ctx context.Context, p DropParams) (Tenant, error) {
	e := DropEvent{Op: OpDrop, Actor: p.Actor, Slug: p.Slug}
	if err := m.checkDropAllowed(p.Actor); err != nil {
		return Tenant{}, m.outcome(ctx, e, DropRefused, err)
	}
	t, l, err := m.lockBySlug(ctx, p.Slug)
	if err != nil {
		return Tenant{}, m.outcome(ctx, e, DropRefused, fmt.Errorf("drop tenant: %w", err))
	}
	defer l.release(ctx)
	ctx, end := m.begin(ctx)
	defer end()
	e.Tenant = t
	e.RequestID, err = m.checkDrop(ctx, l, &t, p)
	if err = m.outcome(ctx, e, DropStarted, err); err != nil {
		return t, err
	}
	e.Phase = DropDone
	if err = m.drop(ctx, l, &t, p, e.RequestID); err != nil {
		e.Phase, e.Err = DropStopped, err
	}
	e.Tenant = t
	m.notify(ctx, e)
	return t, err
}

// drop runs the steps, under the tenant's lock. If an earlier drop has stopped, it starts again
// with the first step.
func (m *Manager) drop(ctx context.Context, l *lock, t *Tenant, p DropParams, request int64) error {
	before := *t
	marked, deleted := markDropping(t), deleteTenant(t, request)
	return m.runRecorded(ctx, l, OpDrop, t, Operation{Op: OpDrop, Actor: p.Actor},
		step{name: "mark", write: &marked},
		step{name: "schema", run: func(ctx context.Context) error { return m.dropSchema(ctx, l, t, &before) }},
		step{name: "delete", write: &deleted},
	)
}

// markDropping sets the status if it is still the one that was checked. A stocked tenant can be
// assigned without its lock.
func markDropping(t *Tenant) change {
	c := t.update("slug = $2 and status = $3", "status = 'dropping', stock_version = ''", t.Slug, t.Status)
	c.none = fmt.Errorf("%w: it is no longer %s", ErrStatus, t.Status)
	return c
}

// dropSchema drops the schema and its role, and then the auxiliary schemas. If the drop is refused
// before anything was dropped, it restores the tenant's status and operation, unless an earlier
// drop has already deleted something.
func (m *Manager) dropSchema(ctx context.Context, l *lock, t, before *Tenant) error {
	server, err := m.server(t)
	if err != nil {
		return err
	}
	report, err := admin.Deprovision(ctx, server, m.cfg.Roles, t.Schema, m.cfg.Drop.Options)
	foreign := errors.Is(err, admin.ErrTaken) || errors.Is(err, schemactx.ErrNotProvisioned)
	var dependents *admin.DependentsError
	switch {
	case err == nil:
		return m.dropAuxiliaryOf(ctx, l, t)
	case report.Changed() || !foreign && !errors.As(err, &dependents):
		return err
	case foreign && before.unfinished():
		// A create that failed because the schema has another owner has created nothing to drop.
		m.cfg.Logger.WarnContext(ctx, "schema is not dropped: it has another owner", slog.String("tenant", t.Slug),
			slog.String("schema", t.Schema), slog.Any("error", err))
		return m.dropAuxiliaryOf(ctx, l, t)
	case before.Status == Dropping:
		return err
	}
	restored := t.update("true", "status = $2", before.Status)
	return errors.Join(err, l.change(ctx, t, restored, cmp.Or(before.Operation, &Operation{})))
}

// unfinished reports whether the tenant may never have had a schema.
func (t *Tenant) unfinished() bool {
	return t.Status == Provisioning || t.Status == Stocked || t.Status == Dropping
}

// deleteTenant deletes the tenant's rows. It deletes nothing if the registry has an auxiliary
// schema of the tenant.
func deleteTenant(t *Tenant, request int64) change {
	return change{
		with: `t as (
			delete from {registry}.tenants where id = $1 and status = 'dropping'
				and not exists (select from {registry}.side_schemas where tenant_id = $1) returning *
		), used as (
			update {registry}.drop_requests set used_at = now() where id = $2 and exists (select from t)
		), hosts as (
			delete from {registry}.domains where tenant_id in (select id from t)
		)`,
		args: []any{t.ID, request},
		none: errors.New("its row is gone or was changed by hand, or it still has an auxiliary schema in the registry"),
	}
}
