package schemalock

// Kind is the purpose of a lock. Its text begins the string whose hash is the key.
type Kind string

const (
	// Migrate keeps two migration runners off one schema.
	Migrate Kind = "pgtenant.migrate."

	// Scratch says that a session works on a schema that is not registered, or not yet. The session
	// takes it before the schema exists, and holds it until the schema is dropped or registered.
	// Package tenancy has the same keys.
	Scratch Kind = "pgtenant.scratch."
)

// keys is SQL, a relation of one row: the schema name, which the expression name yields, and its
// keys. It is a subquery of its own, or the server would choose more than one number at random.
func (k Kind) keys(name string) string {
	return "(select name, key, (key & 2147483647)::int as class, (random() * 2147483646)::int as mark" +
		" from (select " + name +
		"::text as name, hashtextextended('" + string(
		k,
	) + "' || " + name + "::text, 0) as key) named offset 0) k"
}

// heldSQL is SQL, a condition on a row k of keys: another session has the lock, and its login may
// run migrations. The login is this session's, or a member of its role or of the schema's owner; a
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

// Try is SQL, a boolean expression: it takes the lock for the session and does not wait.
func (k Kind) Try(name string) string { return k.try("", name) }

// TryXact is SQL, a boolean expression: it takes the lock for the transaction and does not wait.
func (k Kind) TryXact(name string) string { return k.try("xact_", name) }

// try is the expression of Try and TryXact. What it has taken before it finds another holder ends
// with the transaction.
func (k Kind) try(held, name string) string {
	return `(select case when ` + heldSQL + ` then false
	when k.got then pg_try_advisory_` + held + `lock(k.key)
	when not pg_try_advisory_xact_lock(k.class, k.mark) then false
	when ` + heldSQL + ` then false
	else pg_try_advisory_` + held + `lock(k.class, k.mark) end
	from (select k.*, pg_try_advisory_xact_lock(k.key) as got from ` + k.keys(name) + ` offset 0) k)`
}

// Release is SQL, a boolean expression: it releases the session's lock, whether the session has the
// key or a mark.
func (k Kind) Release(name string) string {
	return "(select case when pg_advisory_unlock(k.key) then true else (select bool_or(pg_advisory_unlock(k.class," +
		" l.objid::int)) from pg_locks l " +
		"where l.locktype = 'advisory' and l.objsubid = 2 and l.pid = pg_backend_pid() and l.classid::bigint = k.class)" +
		" end from " + k.keys(name) + ")"
}

// TryKeysOf is a query with one parameter, an array of schema names. For each name, in their order,
// it takes the key for the session if the key is free. A key of a schema that HeldOf then returns
// is of no use: another runner has the lock.
func (k Kind) TryKeysOf() string {
	return "select pg_try_advisory_lock(k.key) from " + k.rows() + " order by s.i"
}

// HeldOf is a query with one parameter, an array of schema names. It returns the names whose lock
// another session has.
func (k Kind) HeldOf() string {
	return "select k.name from " + k.rows() + " where " + heldSQL
}

// rows turns $1, an array of names, into rows of keys.
func (k Kind) rows() string {
	return "unnest($1::text[]) with ordinality as s (schema, i) cross join lateral " + k.keys("s.schema")
}

// ReleaseAll releases all advisory locks of the session.
const ReleaseAll = "select pg_advisory_unlock_all()"
