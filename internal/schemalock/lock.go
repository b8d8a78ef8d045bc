package schemalock

// Kind is the purpose of a lock. Its text begins the string whose hash is the key.
type Kind string

const (
	// Migrate keeps two migration runners off one schema.
	Migrate Kind = "pgtenant.migrate."

	// Scratch marks a schema that is not registered, or not registered yet. The session takes the lock
	// before the schema exists, and holds it until the schema is dropped or registered. Package
	// tenancy takes it with [Kind.Share].
	Scratch Kind = "pgtenant.scratch."
)

// keys returns SQL for a relation of one row: the schema name, which is the value of the SQL
// expression name, and its keys. It is a subquery with OFFSET 0, so that the server evaluates
// random() only once.
func (k Kind) keys(name string) string {
	return "(select name, key, (key & 2147483647)::int as class, (random() * 2147483646)::int as mark" +
		" from (select " + name +
		"::text as name, hashtextextended('" + string(
		k,
	) + "' || " + name + "::text, 0) as key) named offset 0) k"
}

// heldSQL is an SQL condition on a row k of keys: another session has the lock, and its login may
// run migrations. That is this session's login, or a member of its role or of the schema's owner; a
// superuser is a member of both. A session that pg_stat_activity does not list yet counts as one. A
// prepared transaction has no session and does not count.
const heldSQL = `exists (select from pg_locks l
	where l.locktype = 'advisory' and l.granted and l.database = (select oid from pg_database
		where datname = current_database())
	and (l.objsubid = 1 and (l.classid::bigint << 32 | l.objid::bigint) = k.key or l.objsubid = 2
		and l.classid::bigint = k.class)
	and l.pid <> pg_backend_pid()
	and coalesce((select a.usesysid = r.oid or pg_has_role(a.usesysid, u.oid, 'member')
			or coalesce(pg_has_role(a.usesysid, (select n.nspowner from pg_namespace n where n.nspname = k.name),
				'member'), false)
		from pg_stat_activity a, pg_roles r, pg_roles u
		where a.pid = l.pid and r.rolname = session_user and u.rolname = current_user), true))`

// Try returns a boolean SQL expression that takes the lock for the session without waiting.
func (k Kind) Try(name string) string { return k.try("", name) }

// TryXact returns a boolean SQL expression that takes the lock for the transaction without waiting.
func (k Kind) TryXact(name string) string { return k.try("xact_", name) }

// try returns the expression of Try and TryXact. If it finds another holder, the locks that it has
// already taken end with the transaction.
func (k Kind) try(held, name string) string {
	return `(select case when ` + heldSQL + ` then false
	when k.got then pg_try_advisory_` + held + `lock(k.key)
	when not pg_try_advisory_xact_lock(k.class, k.mark) then false
	when ` + heldSQL + ` then false
	else pg_try_advisory_` + held + `lock(k.class, k.mark) end
	from (select k.*, pg_try_advisory_xact_lock(k.key) as got from ` + k.keys(name) + ` offset 0) k)`
}

// Share returns SQL, a list of two boolean expressions, that takes the key and a mark of the schema
// in shared mode, without waiting. Other sessions then find the schema with [Kind.HeldOf]. Several
// sessions can share a schema. If a foreign role has the key, the mark is enough.
func (k Kind) Share(name string) string {
	key := "hashtextextended('" + string(k) + "' || " + name + ", 0)"
	return "pg_try_advisory_lock_shared(" + key + "), pg_try_advisory_lock_shared((" + key + " & 2147483647)::int, " +
		"(random() * 2147483646)::int)"
}

// Release returns a boolean SQL expression that releases the session's lock. It works for the key
// and for a mark.
func (k Kind) Release(name string) string {
	return "(select case when pg_advisory_unlock(k.key) then true else (select bool_or(pg_advisory_unlock(k.class," +
		" l.objid::int)) from pg_locks l " +
		"where l.locktype = 'advisory' and l.objsubid = 2 and l.pid = pg_backend_pid() and l.classid::bigint = k.class)" +
		" end from " + k.keys(name) + ")"
}

// TryKeysOf returns a query with one parameter, an array of schema names. For each name, in their
// order, it takes the key for the session if the key is free. If HeldOf then returns the schema,
// another runner has the lock and the key is not enough.
func (k Kind) TryKeysOf() string {
	return "select pg_try_advisory_lock(k.key) from " + k.rows() + " order by s.i"
}

// HeldOf returns a query with one parameter, an array of schema names. The query returns the names
// whose lock another session has.
func (k Kind) HeldOf() string {
	return "select k.name from " + k.rows() + " where " + heldSQL
}

// rows returns SQL that expands $1, an array of names, to rows of keys.
func (k Kind) rows() string {
	return "unnest($1::text[]) with ordinality as s (schema, i) cross join lateral " + k.keys("s.schema")
}

// ReleaseAll releases all advisory locks of the session.
const ReleaseAll = "select pg_advisory_unlock_all()"
