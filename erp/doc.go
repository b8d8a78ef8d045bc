// Package erp is a small school administration: the reference module of pgtenant, to be read
// and to be built on.
//
//	runner, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}}})
//	http.ListenAndServe(addr, tenancy.Handler(hosts, tenancy.Routes{Tenant: erp.Handler(db, erp.HandlerConfig{})}))
//
// # No tenant column
//
// Nothing here knows of tenants. The tables are made in the schema of each school, the
// queries name them without one, and the context that a request brings says which school
// is meant.
//
// # Stores
//
// A store, such as [Students], holds the queries of one noun. It works on anything that can
// query, a [github.com/oryne/pgtenant/schemactx.DB] or a transaction of it, so that the
// caller decides what happens together.
//
// # Errors
//
// Input that is refused is an [InputError], which names every field; what is not there is
// [ErrNotFound]. The handler turns both into problem details.
package erp
