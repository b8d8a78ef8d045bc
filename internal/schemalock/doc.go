// Package schemalock builds the SQL of the advisory locks that keep two sessions from changing one
// schema at the same time.
//
// # Key and mark
//
// The key of a lock is a hash of its kind and the name of the schema. Every role of the database
// can compute it and lock it. So a session that finds the key locked checks the role of the holder.
// If that role cannot run migrations, the session takes a mark instead, which is a second advisory
// lock. Half of the mark's key is that of the schema, and half is a random number, so that no other
// role can lock it in advance.
//
// A session has the lock if it has the key or a mark, and if no other runner has either. It takes
// its own first, and then looks for those of others. So if two sessions start at the same time, at
// least one of them finds the other.
//
// Releases from before the mark use only the key. As long as no foreign role has the key, they and
// this package exclude each other. If a foreign role has the key, they wait for it.
//
// # Sessions
//
// The locks belong to a session or a transaction. They do not work behind a pooler in transaction
// mode, except for [Kind.TryXact].
package schemalock
