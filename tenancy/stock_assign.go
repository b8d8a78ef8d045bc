package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AssignStocked is [Manager.Create] that takes a tenant from the stock, if there is one that is ready: it
// has its schema and tables already, and gets its slug, name and domain in one statement, of a
// millisecond. Each stocked tenant is claimed once, however many claim at the same time. Where none
// is ready, AssignStocked does what Create does, or returns [ErrStockEmpty] if [StockConfig].StockOnly says
// so.
//
// The tenant's CreatedAt is the time of the claim, and its schema is tenant_<id>: params that
// choose a schema are a [FieldError]. Other errors are as for Create, and the stocked tenant stays
// where it is.
//
// With [Config].Seed or [Hooks], the tenant is provisioning meanwhile, and the steps "seed" and
// "activate" follow as in Create: a [StepError], or a crash, leaves a tenant for [Manager.Resume].
func (m *Manager) AssignStocked(ctx context.Context, p CreateParams) (Tenant, error) {
	p, err := p.validate()
	if err != nil {
		return Tenant{}, err
	}
	if p.Schema != "" {
		return Tenant{}, &FieldError{Field: "schema", Value: p.Schema, Rule: "cannot be chosen when a tenant is claimed"}
	}
	if m.cfg.Stock.Size == 0 {
		return m.Create(ctx, p)
	}
	defer m.wakeRunStock()
	t, err := m.claimStocked(ctx, p)
	if errors.Is(err, ErrStockEmpty) && !m.cfg.Stock.StockOnly {
		return m.Create(ctx, p)
	}
	return t, err
}

func (m *Manager) claimStocked(ctx context.Context, p CreateParams) (Tenant, error) {
	if m.cfg.Seed == nil && m.cfg.Hooks.Before == nil && m.cfg.Hooks.After == nil {
		ready := "with ready as materialized (" + stockedSQL + " order by id limit 1 for update skip locked)"
		sql := ready + claimSQL + " select " + tenantDetailsColumns + " from t"
		t, err := writeRow(ctx, m.registry, scanTenant, sql, claimArgs(m, p, Active)...)
		return t, claimError(p, err)
	}
	l, err := m.openLock(ctx)
	if err != nil {
		return Tenant{}, err
	}
	defer l.release(ctx)
	var t Tenant
	claim := change{
		with: "free as materialized (" + stockedSQL + `
			and not exists (select from {registry}.registry_locks l where l.key = 'tenant ' || t.id)
			order by id limit 1 for update skip locked
		), locked as (` + takeLock("'tenant ' || free.id", "free, ", "nothing") + `),
		ready as (select free.id from free, locked)` + claimSQL,
		from: "t, " + working,
		args: claimArgs(m, p, Provisioning),
	}
	if err := l.change(ctx, &t, claim, &Operation{Op: OpAssignStocked, Step: "seed"}); err != nil {
		return Tenant{}, claimError(p, err)
	}
	err = m.resume(ctx, l, OpAssignStocked, &t)
	return t, err
}

// stockedSQL selects the tenants that can be claimed. A claim takes one in one statement, which
// passes over those that others are taking. A tenant that is not active at once is locked before
// another session can find it. The claim passes over tenants whose lock is held: it has the
// tenant's row by then, and the holder of the lock may wait for that row.
const stockedSQL = "select id from {registry}.tenants t where status = 'stocked' and stock_version = $5 " +
	"and placement = 'default'"

// claimSQL gives the tenant of the relation ready to a customer.
const claimSQL = `, domain as (
			insert into {registry}.domains (tenant_id, host, is_primary, verified_at)
			select id, $3, true, now() from ready where $3 <> ''
		), requests as (
			delete from {registry}.drop_requests where tenant_id in (select id from ready)
		), t as (
			update {registry}.tenants as t
			set slug = $1, name = $2, status = $4, created_at = now(), stock_version = ''
			from ready where t.id = ready.id returning t.*
		)`

func claimArgs(m *Manager, p CreateParams, status Status) []any {
	return []any{p.Slug, p.Name, p.Domain, status, m.stockVersion()}
}

func claimError(p CreateParams, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		err = ErrStockEmpty
	}
	return fmt.Errorf("claim tenant %q: %w", p.Slug, conflict(err))
}

// wakeRunStock wakes up RunStock.
func (m *Manager) wakeRunStock() {
	select {
	case m.wake <- struct{}{}:
	default: // it is to wake up already
	}
}
