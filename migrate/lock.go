package migrate

import "github.com/oryne/pgtenant/internal/schemalock"

// lockOrFail takes the schema's lock for the session, or fails with invalidText if another runner
// has it. Nothing that follows in the same message is done then, and no session waits with a
// snapshot, see await.
var lockOrFail = "(case when " + schemalock.Migrate.Try("$1") + " then '1' else 'another runner has the lock' end)::int"

// tryLock returns the call that takes the schema's lock for the session, if it is free.
func (t target) tryLock() call {
	return call{sql: "select " + schemalock.Migrate.Try("$1"), args: []string{t.schema}}
}

// unlock returns the call that releases the schema's lock.
func (t target) unlock() call {
	return call{sql: "select " + schemalock.Migrate.Release("$1"), args: []string{t.schema}}
}

// probe returns the call that takes the schema's lock for the transaction, if it is free.
func (t target) probe() call {
	return call{sql: "select " + schemalock.Migrate.TryXact("$1"), args: []string{t.schema}}
}
