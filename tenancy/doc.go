// Package tenancy keeps the registry of tenants and their domains, and creates, changes and drops
// tenants.
//
//	tenants, err := tenancy.New(ownerPool, tenancy.Config{Migrator: runner})
//	err = tenants.Init(ctx)
//	p := tenancy.CreateParams{Slug: "schoola", Name: "School A", Domain: "schoola.example.com"}
//	t, err := tenants.Create(ctx, p)
//
// Package tenanthttp serves HTTP requests with the tenant whose host they came in on:
//
//	routes := tenanthttp.Routes{Public: site, Tenant: app}
//	http.ListenAndServe(addr, tenanthttp.Handler(hosts, routes))
//
// # Registry
//
// The registry is tables in the schema public, or in [Config].RegistrySchema: tenants, domains, and
// the platform's own users. The shared migrations in [Migrations] make them. [Registry] reads with
// the privileges of the public role, which may read what leads a request to its tenant and nothing
// else. [Manager] reads everything and changes it as the owner. Each change is notified on
// [Channel]. The name of a schema is never given out twice.
//
// # Creating a tenant
//
// [Manager.Create] inserts the row, makes schema and role, applies the tenant migrations and only
// then sets the tenant active. Each step can be run again. A create that failed or was killed
// leaves a row that says so, and [Manager.Resume] goes on with it. [Hooks] are told of each step.
// Operations on one tenant wait for each other, in all processes. [Manager.Claim] takes a tenant
// from the stock that [Manager.RunStock] keeps full, see [StockConfig], in a millisecond.
//
// # Changing a tenant
//
// [Op.Allowed] is the table of what each status allows. [Manager.Suspend] and
// [Manager.StartMaintenance] have requests refused until [Manager.Activate] and
// [Manager.EndMaintenance]. [Manager.Update] changes the row that the caller has read, and fails if
// it was changed since. [Manager.Rename] gives another name, slug or schema name. A [Staging] is a
// schema that is built beside the tenant's to replace it ([Staging.Replace]) or to become a new
// tenant. The platform adds domains, or a tenant claims one and proves it ([DomainVerifier]).
// [Manager.ForEach] works through all tenants.
//
// # Dropping a tenant
//
// A drop cannot be undone, so that drops are off until [DropConfig] allows them.
// [Manager.RequestDrop] returns what would be lost and a token, which [Manager.Drop] requires. The
// configuration can demand approval by a second person, by an [Approver], and a fresh backup. Hooks
// are told of every attempt.
//
// # The tenant of a context
//
// [NewContext] puts a tenant into a context, for [FromContext] and for every statement of package
// schemactx. Package tenanttoken binds sessions, jobs, calls of other services and cached values to
// the tenant of a context.
package tenancy
