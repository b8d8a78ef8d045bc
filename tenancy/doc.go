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
// The registry is a set of tables in the schema public, or in [Config].RegistrySchema: tenants,
// domains, and the platform's users. The shared migrations in [Migrations] create them. [Registry]
// reads with the privileges of the public role. That role may read only the columns that route a
// request to its tenant. [Manager] reads all columns and changes the registry as the owner. Each
// change sends a notification on [Channel]. A schema name is never reused.
//
// # Creating a tenant
//
// [Manager.Create] inserts the row, creates the schema and the role, and applies the tenant
// migrations. Only then it sets the tenant active. Each step is idempotent. After a failed or
// killed create, the tenant's row has the status provisioning, and [Manager.Resume] continues it.
// [Hooks] are called for each step. Operations on one tenant wait for each other, also across
// processes. [Manager.AssignStocked] takes a tenant from the stock, which [Manager.RunStock] keeps full, in
// a millisecond: see [StockConfig].
//
// # Changing a tenant
//
// [Op.Allowed] has a table of what each status allows. After [Manager.Suspend] or
// [Manager.StartMaintenance], requests are refused until [Manager.Activate] or
// [Manager.EndMaintenance]. [Manager.Update] changes the row that the caller has read, and fails if
// the row has changed since. [Manager.Rename] changes the name, the slug or the schema name. A
// [Staging] is a schema that is built beside the tenant's. It replaces the tenant's schema
// ([Staging.Replace]) or becomes a new tenant. The platform adds domains, or a tenant claims a
// domain and proves that it has it ([DomainVerifier]). [Manager.ForEach] calls a function for each
// tenant.
//
// # Dropping a tenant
//
// A drop cannot be undone. So drops are disabled until [DropConfig] enables them.
// [Manager.RequestDrop] returns what the drop would delete and a token, which [Manager.Drop]
// requires. The configuration can require approval by a second person, by an [Approver], and a
// fresh backup. Hooks are called for every attempt.
//
// # The tenant of a context
//
// [NewContext] puts a tenant into a context, for [FromContext] and for every statement of package
// schemactx. Package tenanttoken binds sessions, jobs, calls of other services and cached values to
// the tenant of a context.
package tenancy
