// Package schemactx runs every statement in the PostgreSQL schema of the tenant that its context names, with the
// rights of that tenant's role.
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
// A scope is a search path, a role, and the tenant's timeouts (see [Limits]). Each unit of work, which is a statement,
// a batch, a copy or a transaction, brings its own. PostgreSQL takes it back when the unit ends, and no connection is
// trusted to remember a tenant. The scope travels in front of the statement: one round trip, two when the connection
// sees the statement in this schema for the first time. A transaction of n statements costs n+1. What a tenant may have
// left on a connection is taken away, in the same round trip, before another one works on it. BENCHMARKS.md says what
// it costs, SERVERLOG.md how PostgreSQL's own log names the tenant of a statement.
//
// [WithSettings] adds settings of PostgreSQL to the scope, such as lock_timeout, or app.user_id for audit triggers and
// row-level policies. [Config].Types names the enums and other types of the tenants' schemas: SQLC.md shows both.
// Extensions, such as citext, need [Config].ExtraSearchPath: SEARCHPATH.md.
// What runs at COMMIT (deferred constraint triggers, cursors WITH HOLD) runs in the scope too. Functions that a policy, a
// view, an operator, a domain or a trigger calls are found in the catalogs: FUNCTIONS.md says how, and what they cost.
//
// # What is an error
//
// Nothing falls back to another schema. A context without one is [ErrNoSchema]; shared work says [WithPublic]. A
// schema that does not exist is [ErrSchemaMissing], one whose role is missing [ErrNotProvisioned], a transaction under
// the context of another schema [ErrSchemaMismatch]. Statements that change the session or the transaction, such as
// SET, LISTEN or COMMIT, are not sent: [ErrScopeChanged], and in a transaction [ErrTransactionEnded]. A change that
// shows only on the server closes the connection. An error at COMMIT is that of the statement or the batch.
//
// # Levels
//
//   - [PathOnly] keeps unqualified names apart. "select * from tenant_2.students" reads tenant 2 from everywhere.
//   - [Roles], the default, gives each tenant a role with rights in its schema alone, and the login that serves none
//     (admin.Setup, admin.Provision). Qualified names, joins, functions and DDL meet "permission denied". A statement that an
//     attacker wrote can still take another role, by set_config or in a DO block; admin.Harden, run once by a superuser,
//     closes both (admin/MANAGED.md is for services without one). This package, not the server, stops a SET ROLE statement.
//   - [Logins] logs each tenant in as its own role, which can become no other, for the price of a pool for each.
//
// No level closes the catalogs (names, definitions, sizes), advisory locks and notifications, which belong to the
// database, or views and SECURITY DEFINER functions that the owner has made too open. ATTACKS.md has every attack that
// was tried at every level, and what came of it. A program calls admin.Check when it starts, to find rights that break the
// isolation.
//
// # What a program must not do
//
// It must not build SQL out of input: values are parameters. It must not serve as the owner or as a superuser, grant
// rights to the runtime login, or count on what a session keeps: LISTEN, session locks and held cursors need a
// connection outside of this package. Settings of a session go into the pool's RuntimeParams; what AfterConnect SETs
// may be lost between two tenants.
//
// # Poolers
//
// For PgBouncer in transaction mode the pool's default_query_exec_mode is exec, so that statements stay unnamed, and
// [Config].Roles is set where PgBouncer has another name for the database. Its server_reset_query_always is 1: settings
// of the session live on on PgBouncer's own connections. [Logins] needs the server itself.
package schemactx
