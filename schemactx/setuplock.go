package schemactx

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// setupLock is the advisory lock that keeps two set-ups of one database apart ("pgtenant" in ASCII, folded).
const setupLock = 0x706774656e616e74

// setupPause is how long lockSetup waits before it looks again whether another set-up has ended.
const setupPause = 50 * time.Millisecond

// setupLockedSQL returns whether this transaction has the lock, or else whether each session that has it belongs to a role that
// could set up nothing. Every role can take an advisory lock, and keep it. A prepared transaction has a lock and no session.
const setupLockedSQL = `select pg_try_advisory_xact_lock($1), coalesce((
	select bool_and(l.pid is null or not (r.rolsuper or r.rolcreaterole))
	from pg_locks l left join pg_stat_activity a on a.pid = l.pid left join pg_roles r on r.oid = a.usesysid
	where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and (l.classid::bigint << 32 | l.objid::bigint) = $1
	and l.database = (select oid from pg_database where datname = current_database())
	and (l.pid is null or r.oid is not null) and l.pid is distinct from pg_backend_pid()), false)
	from pg_stat_clear_snapshot()`

// lockSetup waits for another set-up of the database, until the end of the transaction, and for nothing else: where a role that could
// set up nothing has the lock, it goes on without. What two set-ups change at the same time PostgreSQL would refuse to the second
// ("tuple concurrently updated"), whose transaction changes nothing then and can be run again.
func lockSetup(ctx context.Context, tx pgx.Tx) error {
	for {
		var held, foreign bool
		err := tx.QueryRow(ctx, setupLockedSQL, pgx.QueryExecModeExec, int64(setupLock)).Scan(&held, &foreign)
		if err != nil || held || foreign {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(setupPause):
		}
	}
}
