package migrate

// A lock of a schema keeps two runners off it. It is an advisory lock of a session, whose key every
// role of the database can compute and take. So a session that finds the key taken looks who has it:
// a role that cannot run migrations does not keep it from its work. It then takes a mark instead, a
// second advisory lock whose key is half the schema's and half a random number, which no other role
// can take in advance. A runner has the schema's lock if it has the key or a mark, and if no other
// runner has either. It takes its own before it looks for theirs, so of two that begin at the same
// time at least one finds the other.
//
// The key comes first because programs of before know no other: as long as no foreign role has the
// key, they and this one exclude each other. If a foreign role has the key, they wait for it.

// lockKind is what a lock is for: the beginning of the text whose hash is the key.
type lockKind string

const (
	migrateLock lockKind = "pgtenant.migrate."

	// scratchLock is the lock of a schema that a session makes, before it is there, until it is
	// dropped or on a list. Package tenancy has the same key and marks.
	scratchLock lockKind = "pgtenant.scratch."
)

// keys is SQL, a relation of one row: the schema that name, an expression, names, and its keys. A
// subquery of its own, or the server would choose more than one number at random.
func (k lockKind) keys(name string) string {
	return "(select name, key, (key & 2147483647)::int as class, (random() * 2147483646)::int as mark from (select " + name +
		"::text as name, hashtextextended('" + string(k) + "' || " + name + "::text, 0) as key) named offset 0) k"
}

// lockHeldSQL is SQL, a condition on a row k of keys: another session has the lock, whose login may
// run migrations: it is this session's, or is a member of its role or of the schema's owner, as a
// superuser is. A session that is not listed yet counts as one. A prepared transaction, which has no
// session, does not.
const lockHeldSQL = `exists (select from pg_locks l
	where l.locktype = 'advisory' and l.granted and l.database = (select oid from pg_database where datname = current_database())
	and (l.objsubid = 1 and (l.classid::bigint << 32 | l.objid::bigint) = k.key or l.objsubid = 2 and l.classid::bigint = k.class)
	and l.pid <> pg_backend_pid()
	and coalesce((select a.usesysid = r.oid or pg_has_role(a.usesysid, u.oid, 'member')
			or coalesce(pg_has_role(a.usesysid, (select n.nspowner from pg_namespace n where n.nspname = k.name), 'member'), false)
		from pg_stat_activity a, pg_roles r, pg_roles u
		where a.pid = l.pid and r.rolname = session_user and u.rolname = current_user), true))`

// try is SQL, an expression: whether the session or, if held is "xact_", its transaction has the
// lock now. It does not wait. What it has taken before it finds another runner ends with the
// transaction.
func (k lockKind) try(held, name string) string {
	return `(select case when ` + lockHeldSQL + ` then false
	when k.got then pg_try_advisory_` + held + `lock(k.key)
	when not pg_try_advisory_xact_lock(k.class, k.mark) then false
	when ` + lockHeldSQL + ` then false
	else pg_try_advisory_` + held + `lock(k.class, k.mark) end
	from (select k.*, pg_try_advisory_xact_lock(k.key) as got from ` + k.keys(name) + ` offset 0) k)`
}

// release is SQL, an expression: it releases the session's lock, whether it has the key or a mark.
func (k lockKind) release(name string) string {
	return "(select case when pg_advisory_unlock(k.key) then true else (select bool_or(pg_advisory_unlock(k.class, l.objid::int)) from pg_locks l " +
		"where l.locktype = 'advisory' and l.objsubid = 2 and l.pid = pg_backend_pid() and l.classid::bigint = k.class) end from " + k.keys(name) + ")"
}

// lockOrFail takes the schema's lock for the session, or fails with invalidText if another runner has
// it. Nothing that follows in the same message is done then, and no session waits with a snapshot,
// see await.
var lockOrFail = "(case when " + migrateLock.try("", "$1") + " then '1' else 'another runner has the lock' end)::int"

// tryLock returns the call that takes the schema's lock for the session, if it is free.
func (t target) tryLock() call {
	return call{sql: "select " + migrateLock.try("", "$1"), args: []string{t.schema}}
}

// unlock returns the call that releases the schema's lock.
func (t target) unlock() call {
	return call{sql: "select " + migrateLock.release("$1"), args: []string{t.schema}}
}

// probe returns the call that takes the schema's lock for the transaction, if it is free.
func (t target) probe() call {
	return call{sql: "select " + migrateLock.try("xact_", "$1"), args: []string{t.schema}}
}

// namesIn turns $1, an array of names, into rows of keys.
func (k lockKind) namesIn() string {
	return "unnest($1::text[]) with ordinality as s (schema, i) cross join lateral " + k.keys("s.schema")
}

var (
	// lockKeysSQL takes the keys of schemas for the session, as far as they are free. A key whose
	// schema marksSQL then names is of no use: another runner has the lock.
	lockKeysSQL = "select pg_try_advisory_lock(k.key) from " + migrateLock.namesIn() + " order by s.i"
	marksSQL    = heldOf(migrateLock)

	// scratchHeldSQL tells which of the schemas a session is at work on.
	scratchHeldSQL = heldOf(scratchLock)
)

// heldOf is SQL that returns the schemas, $1, whose lock another session has.
func heldOf(kind lockKind) string {
	return "select k.name from " + kind.namesIn() + " where " + lockHeldSQL
}

// unlockSQL releases all locks, also those that migrations have left.
const unlockSQL = "select pg_advisory_unlock_all()"
