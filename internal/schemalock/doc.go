// Package schemalock writes the SQL of the advisory locks that keep sessions off a schema.
//
// # Key and mark
//
// The key of a lock is a hash of its kind and the name of the schema. Every role of the database
// can compute it and take it. So a session that finds the key taken looks who has it: a role that
// cannot run migrations does not keep the session from its work. The session then takes a mark
// instead, a second advisory lock. Half of the mark's key is the schema's, and half is a random
// number, so that no other role can take it in advance.
//
// A session has the lock if it has the key or a mark, and if no other runner has either. It takes
// its own before it looks for theirs. So of two that begin at the same time, at least one finds the
// other.
//
// Releases from before the mark know only the key. As long as no foreign role has the key, they and
// this package exclude each other. If a foreign role has the key, they wait for it.
//
// # Sessions
//
// The locks are those of a session or a transaction: they do not work behind a pooler in
// transaction mode, except for [Kind.TryXact].
package schemalock
