package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/internal/schemalock"
)

// lock is a session on the registry's database that serves one operation. It holds the operation's
// locks, and all writes of the operation to the registry go through it. So the writes are fenced:
// when the session ends, its locks become free, and the operation can write nothing more.
type lock struct {
	m      *Manager
	pooled *pgxpool.Conn
	own    *pgxpool.Pool // the pool of pooled, if pooled is not from the registry's pool; else nil

	mu   sync.Mutex // guards conn, which only one goroutine may use at a time
	conn *registrydb.Conn
}

const (
	// pingInterval is the time between two pings of the session during a long step.
	pingInterval = time.Second

	// pingTimeout is how long a ping may take. A session that does not answer in time counts as lost.
	pingTimeout = 30 * time.Second

	// unlockTimeout limits the release of the locks, which also works if the caller's context has
	// ended.
	unlockTimeout = 5 * time.Second
)

// openLock acquires a connection of the pool for an operation. The caller releases it.
func (m *Manager) openLock(ctx context.Context) (*lock, error) {
	if m.nested(ctx) {
		return nil, ErrNested
	}
	pooled, err := m.acquireSpare(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for a connection to lock a tenant: %w", err)
	}
	return m.newLock(ctx, pooled, nil)
}

// acquireSpare acquires a connection that is not the last one of the pool, because the work under a
// lock needs another one. If the locks of all managers held all connections, the session that
// acquired the last one would have found the pool full and given it back.
func (m *Manager) acquireSpare(ctx context.Context) (*pgxpool.Conn, error) {
	for pause := lockPause; ; pause = min(2*pause, maxLockPause) {
		conn, err := m.registry.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		if stat := m.registry.Stat(); stat.AcquiredConns() < stat.MaxConns() {
			return conn, nil
		}
		conn.Release()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// connectLock opens a connection beside the pool, for a lock that is held long. It uses the pool's
// configuration.
func (m *Manager) connectLock(ctx context.Context) (*lock, error) {
	cfg := m.registry.Config()
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns = 1, 0, 0
	own, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to lock a schema: %w", err)
	}
	pooled, err := own.Acquire(ctx)
	if err != nil {
		own.Close()
		return nil, fmt.Errorf("connect to lock a schema: %w", err)
	}
	return m.newLock(ctx, pooled, own)
}

// newLock returns a lock with the connection if the connection works as the owner role. Otherwise
// it releases the connection.
func (m *Manager) newLock(ctx context.Context, pooled *pgxpool.Conn, own *pgxpool.Pool) (*lock, error) {
	l := &lock{m: m, pooled: pooled, own: own, conn: m.registry.Schema().Conn(pooled.Conn())}
	if err := checkSession(ctx, pooled.Conn(), m.cfg.RegistryRoles); err != nil {
		l.releaseConn()
		return nil, err
	}
	return l, nil
}

// releaseConn returns the connection to its pool.
func (l *lock) releaseConn() {
	l.pooled.Release()
	if l.own != nil {
		l.own.Close()
	}
}

// release releases all locks and the connection, also if ctx has ended. A lock of connectLock may
// be released twice.
func (l *lock) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := unlockAll(ctx, l.conn); err != nil {
		_ = l.conn.Close(ctx) // the end of the session releases the locks, too
	}
	l.releaseConn()
}

// releaseOne releases one lock, also if ctx has ended. If that fails, the end of the session
// releases it.
func (l *lock) releaseOne(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	_ = l.use(func(conn *registrydb.Conn) error {
		_, err := conn.Exec(ctx, `with released as (
				delete from {registry}.registry_locks where key = $1 and pid = pg_backend_pid()
			)
			select `+asyncLock, key)
		return err
	})
}

// use calls fn with the session. An error that has closed the session wraps [ErrLockLost].
func (l *lock) use(fn func(conn *registrydb.Conn) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := fn(l.conn)
	if err != nil && l.conn.IsClosed() && !errors.Is(err, ErrLockLost) {
		err = fmt.Errorf("%w: %w", ErrLockLost, err)
	}
	return err
}

// write calls fn in a transaction of the session and commits it. It calls fn again if the COMMIT
// fails because the queue of notifications is full.
func (l *lock) write(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return l.use(func(conn *registrydb.Conn) error {
		return write(func() error { return pgx.BeginFunc(ctx, l.m.registry.Schema().Beginner(conn.Conn), fn) })
	})
}

// take waits for the tenant's lock, and then reads the tenant.
func (l *lock) take(ctx context.Context, id int64) (t Tenant, err error) {
	err = l.use(func(conn *registrydb.Conn) error {
		if err := waitLock(ctx, conn, tenantKey(id)); err != nil {
			return fmt.Errorf("lock tenant %d: %w", id, err)
		}
		t, err = (&Registry{db: initializedQuerier{conn}, details: true}).
			queryOne(ctx, "{registry}.tenants t, "+working+" where t.id = $1", id, strconv.FormatInt(id, 10))
		return err
	})
	return t, err
}

// try takes a lock if no other session holds it. It reports whether this session holds it now.
func (l *lock) try(ctx context.Context, key string) (held bool, err error) {
	err = l.use(func(conn *registrydb.Conn) error {
		held, err = tryLock(ctx, conn, key)
		return err
	})
	return held, err
}

// hold calls fn and pings the session meanwhile. If the session is lost, the context of fn ends
// with [ErrLockLost] as its cause, because another operation may take the lock. Then hold returns
// that error even if fn succeeds. The caller has used the session just before.
func (l *lock) hold(ctx context.Context, fn func(ctx context.Context) error) error {
	inside, lose := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { l.watch(inside, done, lose) })
	defer func() { // also if fn panics
		close(done)
		watch.Wait()
		lose(nil)
	}()
	err := fn(inside)
	lost := context.Cause(inside)
	switch {
	case !errors.Is(lost, ErrLockLost) || errors.Is(err, ErrLockLost):
		return err
	case err == nil:
		return lost
	}
	return fmt.Errorf("%w: %w", lost, err)
}

// watch pings the session until done is closed. If the session is lost, it calls lose and returns.
func (l *lock) watch(ctx context.Context, done <-chan struct{}, lose func(error)) {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if err := l.ping(ctx); err != nil {
			lose(err)
			return
		}
	}
}

// ping returns [ErrLockLost] unless the session answers. It works also if ctx has ended.
func (l *lock) ping(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	if err := l.conn.Ping(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrLockLost, err)
	}
	return nil
}

// lockBySlug takes the lock of the tenant with that slug. The caller releases it.
func (m *Manager) lockBySlug(ctx context.Context, slug string) (Tenant, *lock, error) {
	found, err := m.BySlug(ctx, slug)
	if err != nil {
		return Tenant{}, nil, err
	}
	t, l, err := m.lockByID(ctx, found.ID)
	if err == nil && t.Slug != slug { // renamed in the meantime
		l.release(ctx)
		return Tenant{}, nil, fmt.Errorf("%w: %q", ErrNotFound, slug)
	}
	return t, l, err
}

// lockByID takes the lock of the tenant with that id. The caller releases it.
func (m *Manager) lockByID(ctx context.Context, id int64) (Tenant, *lock, error) {
	l, err := m.openLock(ctx)
	if err != nil {
		return Tenant{}, nil, err
	}
	t, err := l.take(ctx, id)
	if err != nil {
		l.release(ctx)
		return Tenant{}, nil, err
	}
	return t, l, nil
}

// locked calls fn under the tenant's lock, with the current tenant, if its status allows op. It
// returns the tenant as fn leaves it.
func (m *Manager) locked(ctx context.Context, op Op, slug string, fn func(l *lock, t *Tenant) error) (Tenant, error) {
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

// working is SQL, a relation without columns, by which the session announces its work on the schema
// of the tenant t. Package migrate/drift then does not report the schema as unregistered.
var working = "lateral (select " + schemalock.Scratch.Share("t.schema_name") + ") as working"
