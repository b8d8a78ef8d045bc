package tenancy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// unlockTimeout bounds the release of a lock, which goes on when the caller's context is over.
const unlockTimeout = 5 * time.Second

// workLock is SQL, expressions of a SELECT list: it says that the session is at work on the schema whose name is the SQL
// expression. Package migrate has the same keys, and does not report the schema as unregistered. If a tenant has the first key,
// the second says so: half of it is random. No operation waits for these advisory locks.
func workLock(name string) string {
	key := "hashtextextended('pgtenant.scratch.' || " + name + ", 0)"
	return "pg_try_advisory_lock_shared(" + key + "), pg_try_advisory_lock_shared((" + key + " & 2147483647)::int, (random() * 2147483646)::int)"
}

// lease is a connection of the registry that holds the locks of the tenants that one
// operation works on. The locks are the session's: they are gone when the process is.
type lease struct {
	m      *Manager
	pooled *pgxpool.Conn
	conn   *registrydb.Conn // the same
}

// openLease takes a connection, to be given back by release, and waits while all that may be
// taken are. Whoever holds one works through others of the same pool, so that one is always
// left.
func (m *Manager) openLease(ctx context.Context) (*lease, error) {
	if m.nested(ctx) {
		return nil, ErrNested
	}
	select {
	case m.locks <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a connection to lock a tenant: %w", ctx.Err())
	}
	pooled, err := m.registry.Acquire(ctx)
	if err != nil {
		<-m.locks
		return nil, err
	}
	if err := checkSession(ctx, pooled.Conn(), m.cfg.RegistryRoles); err != nil {
		pooled.Release()
		<-m.locks
		return nil, err
	}
	return &lease{m: m, pooled: pooled, conn: m.registry.Schema().Conn(pooled.Conn())}, nil
}

const (
	// heldEvery is how often it is looked in a long step whether the locks are still held.
	heldEvery = time.Second

	// heldTimeout bounds the wait for the answer: a server that does not say so for that long has lost the session, or will have.
	heldTimeout = 30 * time.Second
)

// hold calls fn as long as the locks are held. They are the session's, which somebody may end, or the server itself, when it is restarted or
// has waited too long: whoever comes next then gets the lock, and fn has to stop. So its ctx ends, with [ErrLockLost] as the cause, and
// it is not called where the session has ended before. No lease holds nothing, and calls fn as it is.
func (l *lease) hold(ctx context.Context, fn func(ctx context.Context) error) error {
	if l == nil {
		return fn(ctx)
	}
	if !quiet(l.conn.PgConn().Conn()) {
		if err := l.held(ctx); err != nil {
			return err
		}
	}
	inside, lose := context.WithCancelCause(ctx)
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		l.watch(inside, done, lose)
	}()
	defer func() { // also where fn panics: the connection is not to be used by two
		close(done)
		<-watched
		lose(nil)
	}()
	err := fn(inside)
	if lost := context.Cause(inside); err != nil && errors.Is(lost, ErrLockLost) {
		err = fmt.Errorf("%w: %w", lost, err)
	}
	return err
}

// watch calls lose when the session is found ended, until done is closed.
func (l *lease) watch(ctx context.Context, done <-chan struct{}, lose func(error)) {
	tick := time.NewTicker(heldEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if err := l.held(ctx); err != nil {
			lose(err)
			return
		}
	}
}

// held returns [ErrLockLost] unless the session answers. The end of ctx is no reason to ask no more: it would end the session.
func (l *lease) held(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), heldTimeout)
	defer cancel()
	if err := l.conn.Ping(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrLockLost, err)
	}
	return nil
}

// release gives up all locks and the connection, whatever has become of ctx.
func (l *lease) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	if err := unlockAll(ctx, l.conn); err != nil {
		_ = l.conn.Close(ctx) // the locks go with the session
	}
	l.pooled.Release()
	<-l.m.locks
}

// lock waits for the tenant's lock, and reads the tenant as it is then.
func (l *lease) lock(ctx context.Context, id int64) (Tenant, error) {
	err := waitLock(ctx, l.conn, tenantKey(id))
	if err == nil {
		_, err = l.conn.Exec(ctx, "select "+workLock("schema_name")+" from {registry}.tenants where id = $1", id)
	}
	if err != nil {
		return Tenant{}, fmt.Errorf("lock tenant %d: %w", id, err)
	}
	return l.m.ByID(ctx, id)
}

// lockBySlug takes the lock of the tenant that has the slug. The lease is to be released.
func (m *Manager) lockBySlug(ctx context.Context, slug string) (Tenant, *lease, error) {
	found, err := m.BySlug(ctx, slug)
	if err != nil {
		return Tenant{}, nil, err
	}
	t, l, err := m.lockByID(ctx, found.ID)
	if err == nil && t.Slug != slug { // renamed while we waited
		l.release(ctx)
		return Tenant{}, nil, fmt.Errorf("%w: %q", ErrNotFound, slug)
	}
	return t, l, err
}

// lockByID takes the lock of the tenant of that id. The lease is to be released.
func (m *Manager) lockByID(ctx context.Context, id int64) (Tenant, *lease, error) {
	l, err := m.openLease(ctx)
	if err != nil {
		return Tenant{}, nil, err
	}
	t, err := l.lock(ctx, id)
	if err != nil {
		l.release(ctx)
		return Tenant{}, nil, err
	}
	return t, l, nil
}

// locked calls fn under the tenant's lock, with the tenant as it is then, if its status allows op, and returns the
// tenant as fn leaves it.
func (m *Manager) locked(ctx context.Context, op Op, slug string, fn func(l *lease, t *Tenant) error) (Tenant, error) {
	t, l, err := m.lockBySlug(ctx, slug)
	if err != nil {
		return Tenant{}, fmt.Errorf("%s: %w", op, err)
	}
	defer l.release(ctx)
	if err := op.check(&t); err != nil {
		return t, err
	}
	err = fn(l, &t)
	return t, err
}

// update changes the tenant's row and reads it anew. set is SQL of ours, whose arguments
// begin with $2.
func (m *Manager) update(ctx context.Context, t *Tenant, set string, args ...any) error {
	return m.updateIf(ctx, t, "true", set, args...)
}

// updateIf is update where the condition holds for the row; where it does not, the error is [pgx.ErrNoRows].
func (m *Manager) updateIf(ctx context.Context, t *Tenant, condition, set string, args ...any) error {
	return m.change(ctx, t, "update {registry}.tenants as t set "+set+" where id = $1 and "+condition+" returning "+tenantDetailsColumns, args...)
}

// change runs sql, whose first argument is the tenant's id and which returns its row, and reads that.
func (m *Manager) change(ctx context.Context, t *Tenant, sql string, args ...any) error {
	changed, err := writeRow(ctx, m.registry, scanTenant, sql, append([]any{t.ID}, args...)...)
	if err != nil {
		return conflict(err)
	}
	*t = changed
	return nil
}
