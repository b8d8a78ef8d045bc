package metrics_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

// The most active tenants have series of their own, and the others share one.
func ExampleConfig_topTenants() {
	m, err := metrics.New(metrics.Config{TopTenants: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m)
	for tenant, failures := range map[string]int{"school_a": 3, "school_b": 1, "school_c": 1} {
		for range failures {
			m.LoginFailed(schemactx.NewContext(context.Background(), tenant))
		}
	}
	show(reg, `pgtenant_login_failures_total{tenant="other"}`, `pgtenant_login_failures_total{tenant="school`)

	// Output:
	// pgtenant_login_failures_total{tenant="other"} 2
	// pgtenant_login_failures_total{tenant="school_a"} 3
}
