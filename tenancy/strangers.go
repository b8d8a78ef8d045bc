package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// LockedError says that a [Manager] does not get a lock because a session holds it that is not the owner's, nor that of a
// role which may act for it. PostgreSQL lets every role take every advisory lock: somebody runs SQL of their own on a
// tenant's connection. It wraps [ErrLocked]. Nothing was changed; pg_terminate_backend(PID) frees the lock.
type LockedError struct {
	Lock string // "tenant 7", "stock"
	PID  int    // of the session
	User string // its login
}

// Error returns the lock and who holds it.
func (e *LockedError) Error() string {
	return fmt.Sprintf("lock of %s: %v: a session of %q has it, pid %d", e.Lock, ErrLocked, e.User, e.PID)
}

// Unwrap returns [ErrLocked].
func (e *LockedError) Unwrap() error { return ErrLocked }

// lockSlice is how long a session waits for a lock before it looks who has it: operations of ours end, a stranger need not.
const lockSlice = "5s"

// waitLock is SQL that waits for the lock of a key, for [lockSlice] at most; the setting is the statement's.
func waitLock(key string) string {
	return "set_config('lock_timeout', '" + lockSlice + "', true), pg_advisory_lock(" + key + ")"
}

// timedOut reports whether a statement gave up waiting for a lock.
func timedOut(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "55P03"
}

// notLocked is conflict for a statement that takes the lock of a new tenant, which only a stranger can have.
func notLocked(err error) error {
	if timedOut(err) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return conflict(err)
}

// stranger returns a [LockedError] if whoever holds the lock of a key is a stranger, nil if it is one of us, or nobody. Locks
// and sessions are not read at one moment: a session that is not there any more, as of a process that was killed, ended
// since, and its lock with it. A prepared transaction has a lock and no session.
func (m *Manager) stranger(ctx context.Context, lock, key string) error {
	e := &LockedError{Lock: lock}
	err := m.registry.QueryRow(ctx, `select coalesce(l.pid, 0), coalesce(a.usename, '') from pg_locks l left join pg_stat_activity a on a.pid = l.pid
		where l.locktype = 'advisory' and l.granted and l.objsubid = 1
		and l.database = (select oid from pg_database where datname = current_database())
		and (l.classid::bigint << 32 | l.objid::bigint) = `+key+`
		and (l.pid is null or a.usesysid is not null)
		and not coalesce(pg_has_role(a.usesysid, (select relowner from pg_class where oid = 'public.tenants'::regclass), 'member'), false)
		limit 1`).Scan(&e.PID, &e.User)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look who holds the lock of %s: %w", lock, err)
	}
	return e
}
