package metrics_test

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

// Sources that only the database and the backups have are queried in the background by Run. Refresh
// queries them once.
func ExampleMetrics_Watch() {
	m, err := metrics.New(metrics.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, done := newSchool(m)
	defer done()
	err = m.Watch(metrics.Sources{
		DBs:     []metrics.DB{db},
		Tenants: madeUp{"school_a", "school_b"}, // a program uses its tenancy.Manager or tenancy.Registry
		Backups: metrics.BackupsFunc(func(context.Context) (map[string]time.Time, error) {
			return map[string]time.Time{"school_a": time.Unix(1_800_000_000, 0)}, nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Refresh(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m)
	show(
		reg,
		`pgtenant_tenants{status="`+string(tenancy.Active),
		"pgtenant_backup_tenants",
		"pgtenant_tenant_info{slug=\"slug-school_a",
	)

	// Output:
	// pgtenant_backup_tenants{state="backed_up"} 1
	// pgtenant_backup_tenants{state="never"} 1
	// pgtenant_tenant_info{slug="slug-school_a",tenant="school_a"} 1
	// pgtenant_tenants{status="active"} 2
}
