package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// RefillReport is the result of [Manager.Refill].
type RefillReport struct {
	Made    int  // new stocked tenants
	Updated int  // outdated or incomplete tenants that are ready now
	Failed  int  // tenants that could not be created or updated
	Busy    bool // another process or goroutine is refilling, and continues
}

// Refill creates stocked tenants until there are [StockConfig].Size. It first migrates those that
// an earlier release has stocked, and completes those that a crash or an error has left incomplete.
// A tenant that is not ready is never assigned, but it counts, so that there are never more than
// Size. Tenants that a later release has stocked are not changed, and count too.
//
// Several processes may call Refill. Each locks the stock for one tenant at a time. If another one
// has the lock, Refill returns with Busy set. If a tenant cannot be updated, Refill continues with
// the next; if one cannot be created, it returns. The error joins a [StepError] for each failed
// tenant, and the report is valid together with it. Without a stock, the error is [ErrNoStock].
func (m *Manager) Refill(ctx context.Context) (RefillReport, error) {
	var report RefillReport
	if m.cfg.Stock.Size == 0 {
		return report, ErrNoStock
	}
	if err := m.deleteStaleLocks(ctx); err != nil { // a stocked tenant with such a lock is not assigned
		return report, err
	}
	var errs []error
	for after := int64(0); ; {
		turn, err := m.refillOne(ctx, after)
		report.Busy = turn.busy
		if err != nil {
			errs = append(errs, err)
			report.Failed++
		}
		switch {
		case err == nil && turn.made:
			report.Made++
		case err == nil && turn.id != 0:
			report.Updated++
		}
		if turn.id == 0 || turn.made && err != nil || ctx.Err() != nil {
			return report, errors.Join(errs...)
		}
		after = max(after, turn.repaired)
	}
}

// turn is the result of refillOne.
type turn struct {
	id       int64 // the tenant's id; 0: nothing to do
	repaired int64 // the same id, if the tenant existed before
	made     bool  // the tenant is new
	busy     bool  // another session has the lock of the stock
}

// refillOne creates or updates one stocked tenant, under the lock of the stock and the tenant's
// lock. Outdated tenants with an id greater than after come first.
func (m *Manager) refillOne(ctx context.Context, after int64) (turn, error) {
	l, err := m.openLock(ctx)
	if err != nil {
		return turn{}, err
	}
	defer l.release(ctx)
	held, err := l.try(ctx, stockKey)
	if err != nil {
		return turn{}, fmt.Errorf("lock the stock: %w", err)
	}
	if !held {
		return turn{busy: true}, nil
	}
	if err := m.deleteStaleLocks(ctx); err != nil {
		return turn{}, err
	}
	id, err := m.outdated(ctx, after)
	if err != nil {
		return turn{}, err
	}
	if id != 0 {
		return turn{id: id, repaired: id}, m.restock(ctx, l, id)
	}
	var t Tenant
	err = l.change(ctx, &t, insertStocked(m.cfg.Stock.Size), stocking)
	if errors.Is(err, pgx.ErrNoRows) {
		return turn{}, nil // the stock is full
	}
	if err != nil {
		return turn{}, fmt.Errorf("stock a tenant: %w", err)
	}
	return turn{id: t.ID, made: true}, m.runRecorded(ctx, l, OpStock, &t, *t.Operation, m.stockSteps(&t)...)
}

// outdated returns the first stocked tenant after the id that is not ready or that an earlier
// release has stocked, or 0. A tenant that is not ready has the empty version.
func (m *Manager) outdated(ctx context.Context, after int64) (int64, error) {
	var id int64
	err := m.registry.QueryRow(ctx, `select id from {registry}.tenants
		where status = 'stocked' and stock_version < $1 collate "C" and id > $2 order by id limit 1`,
		m.stockVersion(), after).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("find an outdated stocked tenant: %w", err)
	}
	return id, nil
}

// restock updates an outdated stocked tenant. It leaves a tenant alone that was assigned or dropped
// in the meantime.
func (m *Manager) restock(ctx context.Context, l *lock, id int64) error {
	t, err := l.take(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil // dropped
	}
	if err != nil {
		return err
	}
	if t.Operation == nil { // keep it from being assigned
		err := l.change(ctx, &t, t.update("status = 'stocked'", "stock_version = ''"), stocking)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // it was assigned, which takes no lock
		}
		if err != nil {
			return fmt.Errorf("withdraw tenant %d from the stock: %w", id, err)
		}
	}
	if t.Operation.Op != OpStock {
		return nil // it was assigned, or is being dropped
	}
	return m.resume(ctx, l, OpStock, &t)
}

// stocking is the operation of a stocked tenant that is not ready.
var stocking = &Operation{Op: OpStock, Step: "schema"}

// stockSteps create or migrate the schema of a stocked tenant, and mark the tenant as ready.
func (m *Manager) stockSteps(t *Tenant) []step {
	ready := t.update("true", "stock_version = $2", m.stockVersion())
	return append(m.schemaSteps(t, false), step{name: "ready", write: &ready})
}

// insertStocked inserts the row of a stocked tenant and takes its lock, unless there are already
// size stocked tenants. [ValidateSlug] refuses slugs of this form, so no customer can ask for one.
func insertStocked(size int) change {
	return change{
		with: `new as materialized (
			select nextval(pg_get_serial_sequence('{registry}.tenants', 'id')) as id
			where (select count(*) from {registry}.tenants where status = 'stocked') < $1
		), name as (
			insert into {registry}.schema_names (name, tenant_id) select 'tenant_' || id, id from new
		), t as (
			insert into {registry}.tenants (id, schema_name, slug, name, status)
			select id, 'tenant_' || id, '_' || id, '_' || id, 'stocked' from new returning *
		), locked as (` + takeNewLock("'tenant ' || new.id", "new") + `)`,
		from: "t, locked, " + working,
		args: []any{size},
	}
}

// RunStock calls [Manager.Refill] at once, after each tenant that this manager assigns, and every
// [StockConfig].Interval. It returns the cause when ctx ends. Errors of Refill are logged, and the
// next attempt is made after Interval. Any number of processes may run it. Without a stock, the
// error is [ErrNoStock].
func (m *Manager) RunStock(ctx context.Context) error {
	if m.cfg.Stock.Size == 0 {
		return ErrNoStock
	}
	tick := time.NewTicker(m.cfg.Stock.Interval)
	defer tick.Stop()
	for {
		if _, err := m.Refill(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Logger.ErrorContext(ctx, "stock not refilled", slog.Any("error", err))
			select { // after a failure, an assignment does not start another attempt at once
			case <-ctx.Done():
			case <-tick.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.wake:
		case <-tick.C:
		}
	}
}

// DefaultStockInterval is the default of [StockConfig].Interval.
const DefaultStockInterval = time.Minute

// StockConfig says how many tenants to create in advance. The zero value disables the stock.
type StockConfig struct {
	// Size is the number of stocked tenants, of all processes together. It needs a [Config].Migrator
	// that is a [VersionedMigrator]. Default: 0, no stock.
	Size int

	// Interval is the time between two refills of RunStock while no tenant is assigned. Default:
	// [DefaultStockInterval], a minute.
	Interval time.Duration

	// StockOnly makes [Manager.AssignStocked] return [ErrStockEmpty] if no stocked tenant is ready.
	// Default: false, it calls [Manager.Create] then.
	StockOnly bool
}

func (c StockConfig) withDefaults(migrator Migrator) (StockConfig, error) {
	switch {
	case c.Size < 0:
		return c, fmt.Errorf("tenancy: Config.Stock.Size %d is negative", c.Size)
	case c.Interval < 0:
		return c, fmt.Errorf("tenancy: Config.Stock.Interval %v is negative", c.Interval)
	case c.Size == 0 && c.StockOnly:
		return c, errors.New("tenancy: Config.Stock.StockOnly is set, but Config.Stock.Size is 0")
	}
	if v, ok := migrator.(VersionedMigrator); c.Size > 0 && (!ok || v.TenantVersion() == "") {
		return c, errors.New("tenancy: Config.Stock needs a Config.Migrator that is a VersionedMigrator, with a version")
	}
	c.Interval = cmp.Or(c.Interval, DefaultStockInterval)
	return c, nil
}

// stockVersion returns the version of a stocked tenant that is ready. There must be a stock.
func (m *Manager) stockVersion() string { return m.cfg.Migrator.(VersionedMigrator).TenantVersion() }
