// Package schemactx runs every statement in the PostgreSQL schema of the tenant that its
// context names, with the rights of that tenant's role.
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
// A scope is a search path and a role. Each unit of work, a single statement or a
// transaction, brings its own, always transaction-local: PostgreSQL takes it back when the
// unit ends, whatever happens to it, and no connection is trusted to remember a tenant. A
// single statement and its scope travel together in one round trip, once the statement is
// prepared; a statement is prepared once per connection, schema and SQL, so that its plan
// and its types are those of the schema.
//
// A context without a schema is an error, [ErrNoSchema], and so are a schema that does not
// exist and a transaction used under the context of another schema. Nothing falls back to
// the public schema; shared work says [WithPublic].
//
// # Roles
//
// With the search path alone, "select * from tenant_2.students" reads tenant 2 from
// everywhere. At the default level, [Roles], each schema has a role that has rights there
// and nowhere else, and the login that serves requests has none at all: what falls out of
// its scope can read nothing. [Setup] makes the shared roles once per database,
// [Provision] a schema with its role.
//
// # What it does not stop
//
// A tenant who controls whole statements can change the role inside one, as the login may
// become every tenant's role. Statements are the program's own; values are parameters.
//
// A pool given to [New] is used for scopes alone and never closed.
package schemactx
