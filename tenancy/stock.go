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

// RefillReport says what [Manager.Refill] did.
type RefillReport struct {
	Made    int  // new stocked tenants
	Updated int  // that were behind, or half-made, and are ready now
	Failed  int  // that could not be made or updated
	Busy    bool // another process, or goroutine, is refilling: the rest is left to it
}

// Refill makes stocked tenants until there are [StockConfig].Size, and brings those up to date that
// were stocked by an earlier release, or that a crash or an error left half-made. One that is not
// ready is never claimed, but counts: whatever fails, there are never more than Size. Those of a
// later release are left alone, and count too.
//
// Processes take turns, one tenant each; where it is another one's turn, Refill ends and says so. A
// tenant that cannot be updated does not stop the others; one that cannot be made does. The report
// is valid with an error too, which joins those of the tenants, [StepError] each. Without a stock
// it is [ErrNoStock].
func (m *Manager) Refill(ctx context.Context) (RefillReport, error) {
	var report RefillReport
	if m.cfg.Stock.Size == 0 {
		return report, ErrNoStock
	}
	if err := m.deleteStaleLocks(ctx); err != nil { // a stocked tenant that has one is not claimed
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

// turn is what refillOne did.
type turn struct {
	id       int64 // of the tenant, 0: none
	repaired int64 // the same, if it was there before
	made     bool
	busy     bool
}

// refillOne makes or repairs one stocked tenant, under the lock of the stock and its own. It
// repairs those first whose id is greater than after.
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
		return turn{}, nil // it is full
	}
	if err != nil {
		return turn{}, fmt.Errorf("stock a tenant: %w", err)
	}
	return turn{id: t.ID, made: true}, m.runRecorded(ctx, l, OpStock, &t, *t.Operation, m.stockSteps(&t)...)
}

// outdated returns a stocked tenant that is not ready, or that an earlier release has stocked; 0
// for none. One that is not ready has the empty version.
func (m *Manager) outdated(ctx context.Context, after int64) (int64, error) {
	var id int64
	err := m.registry.QueryRow(ctx, `select id from {registry}.tenants
		where status = 'stocked' and stock_version < $1 collate "C" and id > $2 order by id limit 1`,
		m.stockVersion(), after).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("look at the stock: %w", err)
	}
	return id, nil
}

// restock brings a tenant up to date that was found outdated. A tenant that was claimed or dropped
// meanwhile is left alone.
func (m *Manager) restock(ctx context.Context, l *lock, id int64) error {
	t, err := l.take(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil // dropped
	}
	if err != nil {
		return err
	}
	if t.Operation == nil { // nobody can claim it meanwhile
		err := l.change(ctx, &t, t.update("status = 'stocked'", "stock_version = ''"), stocking)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // claimed, which takes no lock
		}
		if err != nil {
			return fmt.Errorf("withdraw tenant %d from the stock: %w", id, err)
		}
	}
	if t.Operation.Op != OpStock {
		return nil // claimed, or being dropped
	}
	return m.resume(ctx, l, OpStock, &t)
}

// stocking is the operation of a stocked tenant that is not ready.
var stocking = &Operation{Op: OpStock, Step: "schema"}

// stockSteps make what a stocked tenant needs, and then ready.
func (m *Manager) stockSteps(t *Tenant) []step {
	ready := t.update("true", "stock_version = $2", m.stockVersion())
	return append(m.schemaSteps(t, false), step{name: "ready", write: &ready})
}

// insertStocked inserts a row that is no customer's, unless there are size already, and takes its
// lock. The slug is one that nobody can ask for.
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

// RunStock refills the stock now, after each claim of this manager and every
// [StockConfig].Interval, until ctx ends, and returns the cause of that. Errors are logged, and
// tried again when it is time. Any number of processes may run it: see [Manager.Refill]. Without a
// stock it is [ErrNoStock].
func (m *Manager) RunStock(ctx context.Context) error {
	if m.cfg.Stock.Size == 0 {
		return ErrNoStock
	}
	tick := time.NewTicker(m.cfg.Stock.Interval)
	defer tick.Stop()
	for {
		if _, err := m.Refill(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Logger.ErrorContext(ctx, "stock not refilled", slog.Any("error", err))
			select { // a claim is no reason to try at once what has just failed
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

// DefaultStockInterval is how often [Manager.RunStock] looks at the stock when nobody takes from
// it.
const DefaultStockInterval = time.Minute

// StockConfig says how many tenants to keep ready. The zero value keeps none.
type StockConfig struct {
	// Size is how many stocked tenants there are to be, in all processes together. Default: 0, no
	// stock. It needs a [Config].Migrator that is a [VersionedMigrator].
	Size int

	// Interval is how often RunStock looks, besides after each claim of its own process. Default:
	// [DefaultStockInterval].
	Interval time.Duration

	// StockOnly makes an empty stock [ErrStockEmpty] instead of a [Manager.Create]. Default: false.
	StockOnly bool
}

func (c StockConfig) withDefaults(migrator Migrator) (StockConfig, error) {
	switch {
	case c.Size < 0:
		return c, fmt.Errorf("tenancy: Config.Stock.Size %d is negative", c.Size)
	case c.Interval < 0:
		return c, fmt.Errorf("tenancy: Config.Stock.Interval %v is negative", c.Interval)
	case c.Size == 0 && c.StockOnly:
		return c, errors.New("tenancy: Config.Stock.StockOnly is set and Config.Stock.Size is 0: every claim would fail")
	}
	if v, ok := migrator.(VersionedMigrator); c.Size > 0 && (!ok || v.TenantVersion() == "") {
		return c, errors.New("tenancy: Config.Stock needs a Config.Migrator that is a VersionedMigrator, with a version")
	}
	c.Interval = cmp.Or(c.Interval, DefaultStockInterval)
	return c, nil
}

// stockVersion is what a stocked tenant has to be; only where there is a stock.
func (m *Manager) stockVersion() string { return m.cfg.Migrator.(VersionedMigrator).TenantVersion() }
