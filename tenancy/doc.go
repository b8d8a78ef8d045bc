// Package tenancy keeps the registry of tenants and their domains, makes new tenants, and
// sends each HTTP request to the tenant whose host it came in on.
//
//	tenants, err := tenancy.New(ownerPool, tenancy.Config{Migrator: runner})
//	err = tenants.Init(ctx)
//	t, err := tenants.Create(ctx, tenancy.CreateParams{Slug: "schoola", Name: "School A", Domain: "schoola.example.com"})
//
//	http.ListenAndServe(addr, tenancy.Handler(hosts, tenancy.Routes{Public: site, Tenant: app}))
//
// # Registry
//
// Tenants, domains and platform users are tables in the schema public, or in that of
// [Config].RegistrySchema, made by the shared migrations in [Migrations]. [Registry] reads them
// with the rights of the public role, which may read what leads a request to its tenant and
// nothing else; [Manager] reads everything and changes it as the owner. A change is notified on
// [Channel]. The name of a schema is never given out twice.
//
// # Creating a tenant
//
// [Manager.Create] inserts the row, makes schema and role, applies the tenant migrations
// and only then sets the tenant active. Each step can be run again: a create that failed or
// was killed leaves a row that says so, and [Manager.Resume] goes on with it. [Hooks] are told
// of each step. Operations on one tenant wait for each other, in all processes.
// [Manager.Claim] does the same in a millisecond, with a tenant from the stock that
// [Manager.RunStock] keeps full, see [StockConfig].
//
// # Changing a tenant
//
// What a status allows is a table, see [Op.Allowed]. [Manager.Suspend] and [Manager.StartMaintenance]
// have requests refused until [Manager.Activate] and [Manager.EndMaintenance]. [Manager.Update] changes
// what somebody has read, if nobody was faster. [Manager.Rename] gives another name, slug or schema
// name. A [Staging] is a schema that is built beside that of a tenant, to take its place ([Staging.Replace]) or become a new
// tenant. Domains are added by the platform's word, or claimed by a tenant and verified ([DomainVerifier]);
// one is primary at all times. [Manager.ForEach] works through the fleet. [Users] are the platform's own.
//
// # Dropping a tenant
//
// There is no way back, so that drops are off until [DropConfig] allows them. [Manager.RequestDrop]
// says what would be lost and gives out a token, which [Manager.Drop] wants to see; a second
// pair of eyes, an [Approver] and a fresh backup can be demanded, and every attempt is told.
//
// # Requests
//
// [Handler] asks a [Resolver] what the request's host stands for. A tenant's host gets the
// tenant routes with the tenant in the context, for [FromContext] and for every statement
// of package schemactx; the platform's own hosts get the public routes, in the public
// scope. Any other host is refused: nothing falls back to a default tenant. Refusals are
// problem details (RFC 9457), see [Problem], unless [Routes].Refuse answers in its own way.
// [Proxies] know the host and the client of what comes through a proxy. [LogHandler] puts
// tenant, schema and request id ([RequestIDHandler]) into every log record, [Tags] into the rest.
//
// net/http itself answers requests whose Host header holds bytes that no host can have with
// a plain 400, before any handler sees them.
//
// # What a tenant's request leaves behind
//
// Sessions ([Signer.BindSession], [RequireSession]), jobs and calls of other services
// ([Carrier]) and cached values ([Key]) hold for their tenant alone: bound to its ID, which is
// never given out twice, and refused everywhere else.
package tenancy
