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

// DropParams say which tenant to drop, and why that is meant.
type DropParams struct {
	Slug  string // of the tenant
	Token string // of [Manager.RequestDrop]
	Actor string // who drops: the same as in RequestDrop
	Proof string // what [DropConfig].Approve wants to see, such as a one-time password; default: nothing
}

// Drop removes a tenant for good: its tables with all that is in them, its schema and role, and
// those that are kept aside for it ([Manager.RetainedSchema]), its domains and its row. There is no undo but
// a backup. It returns the tenant as it was last. The slug and the domains are free then; the
// schema's name is never given out again.
//
// It refuses, and changes nothing, in this order: where drops are disabled ([ErrDropDisabled]); an
// invalid actor ([FieldError]); a tenant that does not exist, or no more ([ErrNotFound]); a token
// that is not right ([ErrDropToken]) or too old ([ErrDropExpired]); where somebody has yet to
// approve ([ErrDropNotApproved]); a schema that is being renamed (a [BusyError]), or that a
// replacement is being built for ([ErrStatus]), or that can be no tenant's ([schemactx.NameError]);
// without a fresh backup of the tenant, or one of its retained schema as
// [Manager.ConfirmReplacement] demands it ([BackupError]); where something outside of the schema
// depends on it ([admin.DependentsError]); and where [DropConfig].Approve refuses
// ([ErrDropNotApproved], with its error).
//
// Then the tenant is set to [Dropping], so that its requests are refused everywhere, and its role
// loses its rights. Transactions of requests that run may end, or fail because they find their
// tables no more; the drop waits for those that hold tables, as long as ctx lets it. A drop that
// stops at a step is a [StepError]: the tenant stays as it is then, dropping, and can only go on to
// its end, by Drop with the same token while that is good, or with one of a new request. A backup
// is not demanded again then: nothing has changed since the tenant is dropping, and half of a
// tenant is none to back up. After a crash at any point the same holds. Of two drops at once the
// second is [ErrNotFound].
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
	ctx, over := m.begin(ctx)
	defer over()
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

// drop runs the steps, under the tenant's lock. It begins with the first step again when an earlier
// drop has stopped.
func (m *Manager) drop(ctx context.Context, l *lock, t *Tenant, p DropParams, request int64) error {
	before := *t
	marked, deleted := markDropping(t), deleteTenant(t, request)
	return m.runRecorded(ctx, l, OpDrop, t, Operation{Op: OpDrop, Actor: p.Actor},
		step{name: "mark", write: &marked},
		step{name: "schema", run: func(ctx context.Context) error { return m.dropSchema(ctx, l, t, &before) }},
		step{name: "delete", write: &deleted},
	)
}

// markDropping sets the status, if it is still the one that was checked: a stocked tenant can be
// claimed without its lock.
func markDropping(t *Tenant) change {
	c := t.update("slug = $2 and status = $3", "status = 'dropping', stock_version = ''", t.Slug, t.Status)
	c.none = fmt.Errorf("%w: it is no longer %s", ErrStatus, t.Status)
	return c
}

// dropSchema removes schema and role. When that is refused before anything is gone, the tenant is
// what it was again, unless an earlier drop has begun to take it.
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
		// A create that failed on a schema of another owner has nothing that could be dropped.
		m.cfg.Logger.WarnContext(ctx, "schema is not the tenant's and stays", slog.String("tenant", t.Slug),
			slog.String("schema", t.Schema), slog.Any("error", err))
		return m.dropAuxiliaryOf(ctx, l, t)
	case before.Status == Dropping:
		return err
	}
	restored := t.update("true", "status = $2", before.Status)
	return errors.Join(err, l.change(ctx, t, restored, cmp.Or(before.Operation, &Operation{})))
}

// unfinished reports whether the tenant may never have had a schema of its own.
func (t *Tenant) unfinished() bool {
	return t.Status == Provisioning || t.Status == Stocked || t.Status == Dropping
}

// deleteTenant deletes the rows, and nothing while the registry has a side schema of the tenant.
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
		none: errors.New("its row is gone or was changed by hand, or the registry has another schema of it"),
	}
}
