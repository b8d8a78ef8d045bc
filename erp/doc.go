// Package erp is a small school administration: the reference module of pgtenant, to be read
// and to be built on.
//
//	runner, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}}})
//	http.ListenAndServe(addr, tenancy.Handler(hosts, tenancy.Routes{Tenant: erp.Handler(db, erp.HandlerConfig{Signer: signer})}))
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
// their parents. Teachers see all teachers, parents and students those who teach them. The condition for that is part of
// every statement, and so is the one that the session has not ended: see visibility.go.
//
// # The API
//
// [Handler] and [Module] serve /api/students/, /api/classes/, /api/teachers/, /api/parents/ and /api/users/ with GET and
// POST, and each row below with GET, PUT, which takes all of its fields, and DELETE. Lists are pages in the order of ids
// (limit, and after, which is the next of the page before), searched with q and filtered: students by class_id and
// parent_id, classes by year and teacher_id, teachers by class_id, parents by student_id, users by role. PUT and DELETE
// need If-Match with an ETag, or *. Beside these there are
//
//	POST /api/students/import        students from CSV, all or none; with ?dry_run it only looks
//	PUT  /api/users/{id}/password    by an admin
//	POST /api/auth/login             {"email", "password"}; answers with a cookie and a token for Authorization: Bearer
//	POST /api/auth/logout            ends all sessions of the user
//	GET  /api/auth/me                who the session is
//	PUT  /api/auth/password          {"current", "new"}
//
// # Errors
//
// Input that is refused is an [InputError], which names every field; what is not there, or not
// for the viewer to see, is [ErrNotFound]. The handler turns all errors into problem details.
package erp
