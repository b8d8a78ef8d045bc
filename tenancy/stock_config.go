package tenancy

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

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

// VersionedMigrator is what a [Migrator] is that can say what it brings schemas to, so that no
// tenant is taken from the stock that is behind. [github.com/oryne/pgtenant/migrate.Runner] is one.
type VersionedMigrator interface {
	Migrator

	// TenantVersion names what a tenant's schema is once Migrate has returned nil. It is not empty,
	// and another one whenever Migrate would do something else; that of a later release sorts behind
	// that of an earlier one, byte by byte.
	TenantVersion() string
}

// ErrStockEmpty is returned by [Manager.AssignStocked] where [StockConfig].StockOnly is set and no tenant
// is ready.
var ErrStockEmpty = errors.New("stock is empty")

// ErrNoStock is returned by [Manager.Refill] and [Manager.RunStock] where [StockConfig].Size is 0.
var ErrNoStock = errors.New("there is no stock: Config.Stock.Size is 0")

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
