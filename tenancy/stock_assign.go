package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AssignStocked gives a stocked tenant to a customer. The tenant already has its schema and tables.
// One statement, of about a millisecond, sets its slug, name and domain. Concurrent calls never get
// the same tenant. If no stocked tenant is ready, AssignStocked calls [Manager.Create], or returns
// [ErrStockEmpty] if [StockConfig].StockOnly is set.
//
// CreatedAt is the time of the call. The schema is tenant_<id>: parameters with a Schema are a
// [FieldError]. Other errors are as for Create, and leave the stocked tenant in the stock.
//
// If there is a [Config].Seed or there are [Hooks], the tenant is in status provisioning at first,
// and the steps "seed" and "activate" follow as in Create. After a [StepError] or a crash in them,
// [Manager.Resume] continues.
func (m *Manager) AssignStocked(ctx context.Context, p CreateParams) (Tenant, error) {
	p, err := p.validate()
	if err != nil {
		return Tenant{}, err
	}
	if p.Schema != "" {
		return Tenant{}, &FieldError{Field: "schema", Value: p.Schema, Rule: "cannot be chosen for a stocked tenant"}
	}
	if m.cfg.Stock.Size == 0 {
		return m.Create(ctx, p)
	}
	defer m.wakeRunStock()
	t, err := m.assignStocked(ctx, p)
	if errors.Is(err, ErrStockEmpty) && !m.cfg.Stock.StockOnly {
		return m.Create(ctx, p)
	}
	return t, err
}

func (m *Manager) assignStocked(ctx context.Context, p CreateParams) (Tenant, error) {
	if m.cfg.Seed == nil && m.cfg.Hooks.Before == nil && m.cfg.Hooks.After == nil {
		ready := "with ready as materialized (" + stockedSQL + " order by id limit 1 for update skip locked)"
		sql := ready + assignSQL + " select " + tenantDetailsColumns + " from t"
		t, err := writeRow(ctx, m.registry, scanTenant, sql, assignArgs(m, p, Active)...)
		return t, assignError(p, err)
	}
	l, err := m.openLock(ctx)
	if err != nil {
		return Tenant{}, err
	}
	defer l.release(ctx)
	var t Tenant
	// The statement takes the tenant's lock, so that no other operation sees it before the seed. It
	// skips tenants whose lock is held instead of waiting: it has the tenant's row by then, and the
	// holder of the lock may wait for that row.
	assign := change{
		with: "free as materialized (" + stockedSQL + `
			and not exists (select from {registry}.registry_locks l where l.key = 'tenant ' || t.id)
			order by id limit 1 for update skip locked
		), locked as (` + takeLock("'tenant ' || free.id", "free, ", "nothing") + `),
		ready as (select free.id from free, locked)` + assignSQL,
		from: "t, " + working,
		args: assignArgs(m, p, Provisioning),
	}
	if err := l.change(ctx, &t, assign, &Operation{Op: OpAssignStocked, Step: "seed"}); err != nil {
		return Tenant{}, assignError(p, err)
	}
	err = m.runRecorded(ctx, l, OpAssignStocked, &t, *t.Operation, m.activateSteps(&t)...)
	return t, err
}

// stockedSQL selects the stocked tenants that are ready. The statement skips rows that other
// sessions have locked.
const stockedSQL = "select id from {registry}.tenants t where status = 'stocked' and stock_version = $5 " +
	"and placement = 'default'"

// assignSQL makes the tenant of the relation ready a customer's tenant. It deletes drop requests
// for the stocked tenant.
const assignSQL = `, domain as (
			insert into {registry}.domains (tenant_id, host, is_primary, verified_at)
			select id, $3, true, now() from ready where $3 <> ''
		), requests as (
			delete from {registry}.drop_requests where tenant_id in (select id from ready)
		), t as (
			update {registry}.tenants as t
			set slug = $1, name = $2, status = $4, created_at = now(), stock_version = ''
			from ready where t.id = ready.id returning t.*
		)`

func assignArgs(m *Manager, p CreateParams, status Status) []any {
	return []any{p.Slug, p.Name, p.Domain, status, m.stockVersion()}
}

func assignError(p CreateParams, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		err = ErrStockEmpty
	}
	return fmt.Errorf("assign stocked tenant %q: %w", p.Slug, conflict(err))
}

// wakeRunStock makes RunStock refill now.
func (m *Manager) wakeRunStock() {
	select {
	case m.wake <- struct{}{}:
	default: // a wake-up is pending
	}
}
