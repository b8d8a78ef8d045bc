// Package schemactx runs every statement in the PostgreSQL schema of the tenant that its context
// names, with the privileges of that tenant's role.
//
//	db, err := schemactx.New(pool, schemactx.Config{})
//	...
//	err = schemactx.WithSchema(ctx, "tenant_2", func(ctx context.Context) error {
//		_, err := db.Exec(ctx, "update students set class_id = $1 where id = $2", class, id)
//		return err
//	})
//
// # The scope
//
// A scope is a search path, a role and the tenant's timeouts ([Limits]). A unit of work is a
// statement, a batch, a copy or a transaction. Each sets its scope itself, in the same round trip,
// and PostgreSQL resets it when the unit ends. A statement that is new to the connection costs one
// more round trip; a transaction of n statements costs n+1. Before another tenant uses the
// connection it is scrubbed: session state that statements may have left is removed. BENCHMARKS.md
// has the costs. SERVERLOG.md explains how PostgreSQL's log shows the tenant.
//
// [WithSettings] adds settings such as lock_timeout, or app.user_id for triggers and policies.
// [Config].Types names types of the tenants' schemas (SQLC.md). Extensions need
// [Config].ExtraSearchPath (SEARCHPATH.md). FUNCTIONS.md explains how the DB finds the functions
// that policies, views, operators, domains and triggers call. Deferred triggers run in the scope,
// too.
//
// # Errors
//
// No statement falls back to another schema. Without a schema in the context the error is
// [ErrNoSchema]; work on shared data uses [WithPublic]. Other errors are [ErrSchemaMissing],
// [ErrNotProvisioned] and [ErrSchemaMismatch]. Statements that change the session or the
// transaction, such as SET, LISTEN or COMMIT, are not sent: [ErrScopeChanged], in a transaction
// also [ErrTransactionEnded]. If such a change is only noticed afterwards, the connection is
// closed. An error at COMMIT is returned as the error of the statement or batch.
//
// # Levels
//
//   - [PathOnly] separates unqualified names only: tenant_2.students can be read from everywhere.
//   - [Roles], the default, gives each tenant a role with privileges in its schema only, and the
//     login no privileges of its own (package admin). Injected SQL can still take another role with
//     set_config or a DO block; admin.Harden, run once by a superuser, prevents both. This package,
//     not the server, stops a SET ROLE statement.
//   - [Logins] logs each tenant in as its own role, which can take no other, with one pool for
//     each.
//
// No level hides the catalogs (names, definitions, sizes), advisory locks and notifications, or
// closes views and SECURITY DEFINER functions that the owner left open. ATTACKS.md lists every
// attack that the tests try. A program calls admin.Check when it starts.
//
// # Caveats
//
// Pass values as parameters: SQL must not be built from input. A program must not serve requests as
// the owner or a superuser, or grant privileges to the runtime login. LISTEN, session locks and
// held cursors need a connection without a scope; [DB.Connect] opens one for LISTEN. Put settings
// of the session into the pool's RuntimeParams; what AfterConnect sets with SET may be lost between
// two tenants.
//
// With PgBouncer in transaction mode, set the pool's default_query_exec_mode to exec,
// [Config].Roles if PgBouncer renames the database, and server_reset_query_always = 1, because
// settings of a session stay on its connection. [Logins] needs a direct connection to the server.
package schemactx
