package admin

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// setupLock is the key of the advisory lock that lets one set-up of a database run at a time. It is
// "pgtenant" in ASCII.
const setupLock = 0x706774656e616e74

// setupPause is how long lockSetup waits before it tries to get the lock again.
const setupPause = 50 * time.Millisecond

// setupLockedSQL tries to take the lock and returns whether this transaction has it. The second
// column is true if other sessions hold the lock and none of them is logged in as a role that can
// run a set-up. Every role can take an advisory lock, and keep it. A prepared transaction can hold
// the lock without a session.
const setupLockedSQL = `select pg_try_advisory_xact_lock($1), coalesce((
	select bool_and(l.pid is null or not (r.rolsuper or r.rolcreaterole))
	from pg_locks l left join pg_stat_activity a on a.pid = l.pid left join pg_roles r on r.oid = a.usesysid
	where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and (l.classid::bigint << 32 | l.objid::bigint) = $1
	and l.database = (select oid from pg_database where datname = current_database())
	and (l.pid is null or r.oid is not null) and l.pid is distinct from pg_backend_pid()), false)
	from pg_stat_clear_snapshot()`

// lockSetup takes the lock until the end of the transaction. It waits while another set-up of the
// database holds the lock, until ctx ends. If a role that cannot run a set-up holds the lock,
// lockSetup continues without it. If two set-ups then change the same object at the same time,
// PostgreSQL refuses the second ("tuple concurrently updated"). The transaction of the second then
// changes nothing, and it can be run again.
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
