package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// stockManager returns a manager with a stock.
func (f *fixture) stockManager(
	t testing.TB, stock tenancy.StockConfig, changes ...func(cfg *tenancy.Config),
) *tenancy.Manager {
	t.Helper()
	return f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Stock = stock
		for _, change := range changes {
			change(cfg)
		}
	})
}

// refill repeats Refill while the lock of the stock is held: the server may not have noticed yet
// that a process that held it was killed.
func refill(t testing.TB, m *tenancy.Manager) tenancy.RefillReport {
	t.Helper()
	for {
		report, err := m.Refill(t.Context())
		require.NoError(t, err)
		if !report.Busy {
			return report
		}
	}
}

// stockedIDs returns the ids of the stocked tenants.
func stockedIDs(t testing.TB, m *tenancy.Manager) (ids []int64) {
	t.Helper()
	for tenant, err := range m.All(t.Context(), tenancy.Filter{Statuses: []tenancy.Status{tenancy.Stocked}}) {
		require.NoError(t, err)
		ids = append(ids, tenant.ID)
	}
	return ids
}
