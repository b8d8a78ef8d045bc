package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// Locks are rows of the registry. They are not advisory locks, because every role can take every
// advisory lock and could block every operation. A row names the session that has the lock by its
// pid, start time and login. Like an advisory lock, a lock ends with its session: a session that
// finds the row of an ended session takes the lock over.
//
// A pooler in session mode may keep the session of a client that has ended, and reset it. So the
// session also holds an advisory lock with a random key, the row's mark. A reset releases it. It
// does not matter if another session takes the same advisory lock.

// stockKey is the lock of the session that refills the stock.
const stockKey = "stock"

// tenantKey is the lock of a tenant.
func tenantKey(id int64) string { return "tenant " + strconv.FormatInt(id, 10) }

// auxiliaryKey is the lock of the session that builds, sweeps or drops an auxiliary schema.
func auxiliaryKey(id int64) string { return "side " + strconv.FormatInt(id, 10) }

// takeLock returns SQL, an INSERT with RETURNING, that gives this session the lock of a key that is
// free. key is a SQL expression over from, a list of relations. onConflict is the action if the key
// has a row.
func takeLock(key, from, onConflict string) string {
	return "insert into {registry}.registry_locks (key, pid, backend_start, login) select " + key +
		", a.pid, a.backend_start, a.usesysid from " + from + "pg_stat_activity a where a.pid = pg_backend_pid()" +
		" on conflict (key) do " + onConflict + " returning key, " + markSQL + "(mark)"
}

// markSQL is the SQL function by which a session takes the mark of its lock.
const markSQL = "pg_try_advisory_lock_shared"

// markedSQL is a SQL condition on l, the row of a lock: its session still has the mark.
const markedSQL = `exists (select from pg_locks k where k.pid = l.pid and k.locktype = 'advisory' and k.granted
	and k.objsubid = 1 and (k.classid::bigint << 32 | k.objid::bigint) = l.mark)`

// takeNewLock is takeLock for a new id, which no other session can know. A row with that key
// belongs to a session that has ended.
func takeNewLock(key, from string) string {
	return takeLock(key, from+", ", `update set pid = excluded.pid, backend_start = excluded.backend_start,
		login = excluded.login, mark = excluded.mark, taken_at = now()`)
}

// asyncLock is SQL for the SELECT of a statement that takes or releases locks. The row need not be
// durable, because a crash of the server ends all sessions.
const asyncLock = "set_config('synchronous_commit', 'off', true)"

// lockHolder is the session that has a lock.
type lockHolder struct {
	pid   int32
	start time.Time
	mark  int64
	alive bool
	own   bool // it is this session
}

var (
	tryLockSQL = "with taken as (" + takeLock("$1", "", "nothing") + ") select " + asyncLock + " from taken"

	// waitLockSQL is tryLockSQL of a session that waits. Logs and TestLocksAreTakenInOrder recognise
	// it by the comment.
	waitLockSQL = tryLockSQL + " -- waits"
)

// tryLock takes a lock for the session of conn if no other session holds it, and reports whether
// this session holds it now. It does not wait.
func tryLock(ctx context.Context, conn *registrydb.Conn, key string) (held bool, err error) {
	return lockOnce(ctx, conn, tryLockSQL, key)
}

// lockOnce makes one attempt of tryLock with sql, which is tryLockSQL or waitLockSQL.
func lockOnce(ctx context.Context, conn *registrydb.Conn, sql, key string) (held bool, err error) {
	tag, err := conn.Exec(ctx, sql, key)
	if err != nil || tag.RowsAffected() == 1 {
		return err == nil, initialized(err)
	}
	// The snapshot of a second statement includes the session of each row that it finds.
	var h lockHolder
	err = conn.QueryRow(ctx, `select l.pid, l.backend_start, l.mark, coalesce(bool_or(a.pid is not null), false),
			l.pid = pg_backend_pid()
		from {registry}.registry_locks l left join pg_stat_activity a
		on a.pid = l.pid and a.usesysid = l.login and coalesce(a.backend_start = l.backend_start, true)
			and `+markedSQL+`
		where l.key = $1 group by l.key`, key).Scan(&h.pid, &h.start, &h.mark, &h.alive, &h.own)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // it was released in the meantime
	}
	if err != nil || h.alive {
		return err == nil && h.own, err
	}
	tag, err = conn.Exec(ctx, `update {registry}.registry_locks l set pid = a.pid, backend_start = a.backend_start,
			login = a.usesysid, mark = default, taken_at = now()
		from pg_stat_activity a where a.pid = pg_backend_pid() and l.key = $1
			and l.pid = $2 and l.backend_start = $3 and l.mark = $4
		returning `+markSQL+`(l.mark)`, key, h.pid, h.start, h.mark)
	return err == nil && tag.RowsAffected() == 1, err
}

const (
	// lockPause is the first pause between two tries to take a lock. Each pause is twice as long as
	// the one before, up to maxLockPause.
	lockPause    = 5 * time.Millisecond
	maxLockPause = 200 * time.Millisecond
)

// waitLock takes a lock for the session of conn. It waits while another session holds it. LOCKS.md
// has the order in which a session may wait for locks.
func waitLock(ctx context.Context, conn *registrydb.Conn, key string) error {
	for pause := lockPause; ; pause = min(2*pause, maxLockPause) {
		held, err := lockOnce(ctx, conn, waitLockSQL, key)
		if err != nil || held {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another operation has the lock: %w", context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// unlockAll releases all locks of the session of conn.
func unlockAll(ctx context.Context, conn *registrydb.Conn) error {
	_, err := conn.Exec(ctx, `with released as (delete from {registry}.registry_locks where pid = pg_backend_pid())
		select pg_advisory_unlock_all(), `+asyncLock)
	return err
}

// deleteStaleLocks deletes the locks of sessions that have ended. It leaves locks that were taken
// within the last minute, because their session may have begun after the statement read
// pg_stat_activity.
func (m *Manager) deleteStaleLocks(ctx context.Context) error {
	_, err := m.registry.Exec(ctx, `delete from {registry}.registry_locks l
		where taken_at < now() - interval '1 minute' and not exists (
			select from pg_stat_activity a where a.pid = l.pid and a.usesysid = l.login
				and coalesce(a.backend_start = l.backend_start, true) and `+markedSQL+`)`)
	if err != nil {
		return fmt.Errorf("delete locks of ended sessions: %w", initialized(err))
	}
	return nil
}
