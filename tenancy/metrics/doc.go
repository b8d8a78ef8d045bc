// Package metrics exports the activity of tenants to Prometheus. It is a collector for
// [github.com/prometheus/client_golang], fed by the hooks of the other packages.
//
//	m, err := metrics.New(metrics.Config{})
//	db, err := schemactx.New(pool, schemactx.Config{Hooks: m.Hooks(schemactx.Hooks{})})
//	tenants, err := tenancy.New(owner, tenancy.Config{Hooks: m.Lifecycle(tenancy.Hooks{}), ...})
//	site := tenanthttp.Handler(hosts, m.Routes(tenanthttp.Routes{...}))
//
//	err = m.Watch(metrics.Sources{DBs: []metrics.DB{db}, Tenants: tenants, ...})
//	go m.Run(ctx) // queries the database in the background
//	prometheus.MustRegister(m)
//
// # Cost of a scrape
//
// A scrape sends no query. [Metrics.Run] reads what only the database knows (tenants, sizes,
// migrations, backups) at intervals; pgtenant_survey_last_success_timestamp_seconds shows the age.
// A hook costs a lookup and a few additions; BENCHMARKS.md has figures.
//
// # The label tenant
//
// The label is the name of the tenant's schema, which is never reused and does not change with the
// slug. pgtenant_tenant_info has the slug; join it with "* on (tenant) group_left (slug)
// pgtenant_tenant_info". Other values are "public" for the public site, "none" for activity outside
// of any site, and "other" for all tenants without a series of their own.
//
// The [Config].TopTenants most active tenants have their own series. Activity is a decaying
// average: an hour ago counts one sixty-fourth of now. A tenant replaces another one only if it is
// half as active again, so that series do not alternate. A schema named "other" always counts as
// "other".
//
// # Counters never decrease
//
// Each event is counted once in a cell of its tenant. Each scrape adds the increase of a cell to
// the tenant's own series if it has one at that time, else to "other". So both only grow. A tenant
// that gets a series starts at zero, or at the value that it showed before. Its latest events
// follow with the next scrape, because rate() and increase() ignore the first value of a series.
// Events from the time without a series stay in "other". So a series covers the time in which the
// tenant had it, and the sum of rate() or increase() over all tenants is always right.
//
// Gauges show current values: if the set of tenants with series changes, the value of "other" may
// jump.
package metrics
