// Package tenancy keeps the registry of tenants and their domains, and creates, changes and drops
// tenants.
//
//	tenants, err := tenancy.New(ownerPool, tenancy.Config{Migrator: runner})
//	err = tenants.Init(ctx)
//	p := tenancy.CreateParams{Slug: "schoola", Name: "School A", Domain: "schoola.example.com"}
//	t, err := tenants.Create(ctx, p)
//
// Package tenanthttp serves each HTTP request with the tenant of its host:
//
//	routes := tenanthttp.Routes{Public: site, Tenant: app}
//	http.ListenAndServe(addr, tenanthttp.Handler(hosts, routes))
//
// # Registry
//
// The registry is a set of tables in the schema public, or in [Config].RegistrySchema. [Migrations]
// create them. [Registry] reads them as the public role, which may read only the columns that route
// a request to its tenant. [Manager] reads and changes them as the owner role. Each change sends a
// notification on [Channel]. A schema name is never reused. A domain routes requests when it is
// verified: the platform adds it ([Manager.AddDomain]), or the tenant claims it and proves that it
// has it ([DomainVerifier]). [Manager.ForEach] calls a function for each tenant.
//
// # Operations
//
// An operation changes one tenant under the tenant's lock, also across processes. It consists of
// steps that can be run again. An operation of several steps is a row of the registry until it
// ends: [Tenant].Operation. After an error or a crash, [Manager.Resume] or the same call continues
// it. Until then, other operations of several steps, except a drop, return a [BusyError].
// [Op.Allowed] has a table of what each status allows. [Hooks] are called for each step. LOCKS.md
// describes the locks.
//
// # Stock
//
// A stocked tenant is created in advance and has no customer yet. [Manager.RunStock] keeps
// [StockConfig].Size of them. [Manager.AssignStocked] gives one to a customer in about a
// millisecond.
//
// # Staged and retained schemas
//
// An auxiliary schema serves no tenant. A staged schema is one that a [Staging] builds: for a new
// tenant ([Staging.Adopt]), to replace the schema of a tenant ([Staging.Replace]), or as a scratch
// schema, which can only be dropped. A replacement leaves the former schema as the tenant's
// retained schema. [Manager.RevertReplacement] exchanges the two again, and
// [Manager.ConfirmReplacement] drops the retained schema. Package backup restores a tenant in this
// way.
//
// # Dropping a tenant
//
// A drop cannot be undone. So drops are disabled until [DropConfig] enables them.
// [Manager.RequestDrop] returns what the drop would delete and a token, which [Manager.Drop]
// requires. The configuration can require the approval of a second person, of an [Approver], and a
// fresh backup.
//
// # The tenant of a context
//
// [NewContext] puts a tenant into a context, for [FromContext] and for every statement of package
// schemactx. Package tenanttoken binds sessions, jobs, calls of other services and cached values to
// the tenant of a context.
package tenancy
