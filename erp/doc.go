// Package erp is a small school administration: the reference module of pgtenant, to be read
// and to be built on.
//
//	runner, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}}})
//	http.ListenAndServe(addr, tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: erp.Handler(db, erp.HandlerConfig{Signer: signer})}))
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
// caller decides what happens together. Each of its methods is one statement.
//
// # Viewers
//
// A context also says on whose behalf something is done: its [Viewer], which [NewContext] puts there and without which
// stores refuse. An admin sees and changes everything in the school; a teacher sees the classes that they teach, the
// students in them and their parents; a parent their children and their classes; a student themself, their class and
// their parents. Teachers see all teachers, parents and students those who teach them. Fees and payments are seen by the
// student and the parents, and by no teacher. The condition for that is part of every statement, and so is the one that
// the session has not ended: see visibility.go.
//
// # Money
//
// [Money] is an integer of the minor unit and a currency. What a student owes is a [Fee], made by [Fees.Generate] of a
// [FeeStructure]; what is paid or refunded is a [Payment], recorded once by its key and never changed. That no more is
// paid than is owed, and no more refunded than was paid, is a constraint of the table.
//
// # The API
//
// [Handler] and [Module] serve /api/students/, /api/classes/, /api/teachers/, /api/parents/, /api/users/ and
// /api/fee-structures/ with GET and POST, and each row below with GET, PUT, which takes all of its fields, and DELETE.
// Of these /api/fees/ has no DELETE, and /api/payments/ neither that nor PUT. Lists are pages in the order of ids, to be
// searched and filtered; /api/openapi.json, which is [OpenAPI], says by what, and all else. PUT and DELETE need If-Match
// with an ETag, or *, and payments an Idempotency-Key. Beside these there are
//
//	POST /api/fee-structures/{id}/generate   the fees of all students of the class that are missing
//	POST /api/students/import                students from CSV, all or none; with ?dry_run it only looks
//	PUT  /api/users/{id}/password            by an admin
//	POST /api/auth/login                     {"email", "password"}; answers with a cookie and a token for Authorization: Bearer
//	POST /api/auth/logout                    ends all sessions of the user
//	GET  /api/auth/me                        who the session is
//	PUT  /api/auth/password                  {"current", "new"}
//
// # Errors
//
// Input that is refused is an [InputError], which names every field; what is not there, or not
// for the viewer to see, is [ErrNotFound]. The handler turns all errors into problem details.
package erp
