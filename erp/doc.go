// Package erp is a small school administration: the reference module of pgtenant, to read and to
// build on.
//
//	runner, err := migrate.New(owner, migrate.Config{
//		Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}},
//	})
//	school := erp.Handler(db, erp.HandlerConfig{Signer: signer})
//	http.ListenAndServe(addr, tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: school}))
//
// # No tenant column
//
// The package does not know tenants. The tables are in the schema of each school, the queries do
// not name the schema, and the context of a request says which school is meant.
//
// # Stores
//
// A store, such as [Students], holds the queries of one table in plain SQL. It works on anything
// that can query, a [github.com/oryne/pgtenant/schemactx.DB] or a transaction of it, so that the
// caller can combine several calls in one transaction. Each method is one statement.
//
// # Viewers
//
// [NewContext] puts the [Viewer] into a context: the person for whom a store works. Stores refuse a
// context without one. An admin sees and changes everything in the school. A teacher sees all
// teachers, the classes that they teach, and the students of these with their parents. A parent
// sees their children, and these children's classes and teachers. Students see themselves, their
// class, their parents and their teachers. The student and the parents see fees and payments;
// teachers do not. Each statement contains the condition for that, and checks the session: see
// visibility.go.
//
// # Money
//
// [Money] is an integer of the minor unit and a currency. A [Fee] is what a student owes;
// [Fees.Generate] makes it from a [FeeStructure]. A [Payment] is recorded once by its key and never
// changed. Constraints of the tables ensure that no more is paid than owed, or refunded than paid.
//
// # The API
//
// [Handler] and [Module] serve students, classes, teachers, parents, users and fee structures under
// /api/ with GET, POST, PUT and DELETE, fees without DELETE, and payments with GET and POST. PUT
// takes all fields of a row. PUT and DELETE need If-Match with an ETag, or *; payments need an
// Idempotency-Key. /api/openapi.json, which is [OpenAPI], describes everything. Further routes:
//
//	POST /api/fee-structures/{id}/generate   the missing fees of all students of the class
//	POST /api/students/import                students from CSV, all or none; ?dry_run only checks
//	PUT  /api/users/{id}/password            by an admin
//	POST /api/auth/login                     {"email", "password"}; answers with cookie and token
//	POST /api/auth/logout                    ends all sessions of the user
//	GET  /api/auth/me                        the user of the session
//	PUT  /api/auth/password                  {"current", "new"}
//
// # Errors
//
// Invalid input is an [InputError], which names every field. A row that does not exist, or that the
// viewer must not see, is [ErrNotFound]. The handler answers all errors with problem details.
package erp
