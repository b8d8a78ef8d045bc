// Package metrics shows what the tenants of a platform do, to Prometheus: a collector for
// [github.com/prometheus/client_golang] that is told by the hooks of the other packages.
//
//	m, err := metrics.New(metrics.Config{})
//	db, err := schemactx.New(pool, schemactx.Config{Hooks: m.Hooks(schemactx.Hooks{})})
//	tenants, err := tenancy.New(owner, tenancy.Config{Hooks: m.Lifecycle(tenancy.Hooks{}), ...})
//	site := tenanthttp.Handler(hosts, m.Routes(tenanthttp.Routes{...}))
//
//	err = m.Watch(metrics.Sources{DBs: []metrics.DB{db}, Tenants: tenants, ...})
//	go m.Run(ctx) // asks the database in the background
//	prometheus.MustRegister(m)
//
// # What a scrape costs
//
// A scrape sends no query: what only the database knows (tenants, sizes, migrations, backups) is
// read by [Metrics.Run] at intervals, and pgtenant_survey_last_success_timestamp_seconds says how
// old it is. A hook costs a look-up and a few additions; BENCHMARKS.md has figures.
//
// # The label tenant
//
// It holds the name of the tenant's schema, which no other tenant ever gets and which a new slug
// does not change; pgtenant_tenant_info has the slug for it, to be joined with "* on (tenant)
// group_left (slug) pgtenant_tenant_info". Beside schemas it holds "public" for the platform's own
// site, "none" for what belongs to no site, and "other" for the tenants that have no name.
//
// The [Config].TopTenants most active tenants have one, by an average of what they did lately, in
// which an hour ago counts for a sixty-fourth of now. A tenant takes another's place when it does
// half as much again, so that places do not go to and fro. A schema whose name is "other" is always
// among the others.
//
// # Counters never go backwards
//
// Each event is counted once in a cell of its tenant, and each scrape moves what is new in the cell
// to what is shown: to the tenant's own series if it has a name just then, else to that of the
// others. So both only grow. A tenant that gets a name begins with zero, or with what it had shown
// when it lost it; what it has just done follows with the next scrape, as rate() and increase() do
// not see what a series begins with. What it did without a name stays with the others. So a series
// tells what the tenant did while it had a name, and the sum of rate() or increase() over all
// tenants is right, whoever has one.
//
// Values of gauges are those of now: where the tenants by name change, that of "other" may jump.
package metrics
