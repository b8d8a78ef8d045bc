package schemactx

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// LoginsConfig configures how tenants log in at level [Logins]. admin.ProvisionLogin creates their
// roles. Their pools have the configuration of the pool given to [New], hooks included, except
// login, password and size. That pool itself serves public scopes. The sessions start with the
// tenant's search path and timeouts. Poolers such as PgBouncer do not forward these, so the DB must
// connect to the server directly.
type LoginsConfig struct {
	// Password returns the password of a tenant's role, as given to admin.ProvisionLogin. It is called
	// for each new connection and must be safe for concurrent use. A panic in it becomes an error of
	// the connection. Required. [LoginPassword] derives passwords that need no store.
	Password func(ctx context.Context, schema string) (string, error)

	// MaxConns is the maximum number of connections in one tenant's pool. Default: 2.
	MaxConns int32

	// MaxPools is the maximum number of tenants with a pool at a time. For another tenant, the least
	// recently used pool that is not in use is closed. If all are in use, the unit of work waits,
	// governed by its context. Default: 50.
	MaxPools int
}

func (c LoginsConfig) validate() error {
	switch {
	case c.Password == nil:
		return errors.New("schemactx: level Logins needs Logins.Password")
	case c.MaxConns < 0:
		return fmt.Errorf("schemactx: Logins.MaxConns %d is negative", c.MaxConns)
	case c.MaxPools < 0:
		return fmt.Errorf("schemactx: Logins.MaxPools %d is negative", c.MaxPools)
	}
	return nil
}

// ErrClosed is returned at level [Logins] after [DB.Close].
var ErrClosed = errors.New("schemactx: DB is closed")

// loginPools holds the pools of the most recently active tenants.
type loginPools struct {
	base     *pgxpool.Config
	roles    RoleNames
	password func(ctx context.Context, schema string) (string, error)
	maxPools int
	fresh    *freshness

	mu       sync.Mutex
	bySchema map[string]*list.Element
	recent   list.List     // of *loginPool, the most recently used first
	freed    chan struct{} // closed when a pool has become free, to wake those who wait
	closed   bool
	closing  sync.WaitGroup
}

type loginPool struct {
	schema string
	pool   *pgxpool.Pool
	limits Limits // of its sessions
	users  int    // units of work that hold or await one of its connections

	retired bool // closed or closing
}

func newLoginPools(pool *pgxpool.Pool, cfg Config, fresh *freshness) *loginPools {
	base := pool.Config()
	base.MaxConns = cmp.Or(cfg.Logins.MaxConns, 2)
	base.MinConns, base.MinIdleConns = 0, 0
	return &loginPools{
		base: base, roles: cfg.Roles, password: cfg.Logins.Password, maxPools: cmp.Or(cfg.Logins.MaxPools, 50), fresh: fresh,
		bySchema: make(map[string]*list.Element), freed: make(chan struct{}),
	}
}

// acquire borrows a connection of the tenant's own login for u. Call leave after the connection has
// been returned.
func (ps *loginPools) acquire(ctx context.Context, u *unitOfWork) (err error) {
	if u.login, err = ps.use(ctx, u.scope); err != nil {
		return err
	}
	if u.lease, err = u.login.pool.Acquire(ctx); err == nil {
		return nil
	}
	p := u.login
	u.login = nil
	if retired := ps.leave(p); retired {
		return ps.acquire(ctx, u) // the pool was closed while this unit of work waited
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && strings.HasPrefix(pgErr.Code, sqlstate.ClassInvalidAuthorization) {
		err = &ScopeError{Schema: u.scope.schema, Kind: ErrNotProvisioned, Err: err}
	}
	return err
}

// use returns the tenant's pool, which is not evicted before leave. refresh and close can still
// retire it. Then the connections in use remain usable until they are returned. A unit of work that
// waits for one gets an error, and leave tells it that the pool was retired. If the maximum number
// of pools is in use, use waits.
func (ps *loginPools) use(ctx context.Context, sc *scope) (*loginPool, error) {
	for {
		p, freed, err := ps.tryUse(sc)
		if p != nil || err != nil {
			return p, err
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, fmt.Errorf("all %d pools of tenants are in use: %w", ps.maxPools, context.Cause(ctx))
		}
	}
}

func (ps *loginPools) tryUse(sc *scope) (*loginPool, <-chan struct{}, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return nil, nil, ErrClosed
	}
	el, ok := ps.bySchema[sc.schema]
	if ok && el.Value.(*loginPool).limits != sc.limits && ps.fresh.is(sc) {
		ps.retire(el) // opened after a Refresh by a unit of work that began before it
		ok = false
	}
	if !ok {
		if ps.recent.Len() >= ps.maxPools && !ps.evict() {
			return nil, ps.freed, nil
		}
		pool, err := ps.open(sc)
		if err != nil {
			return nil, nil, err
		}
		el = ps.recent.PushFront(&loginPool{schema: sc.schema, pool: pool, limits: sc.limits})
		ps.bySchema[sc.schema] = el
	}
	ps.recent.MoveToFront(el)
	p := el.Value.(*loginPool)
	p.users++
	return p, nil, nil
}

// open creates the pool of a tenant, which connects when it is used. The sessions start with the
// tenant's settings.
func (ps *loginPools) open(sc *scope) (*pgxpool.Pool, error) {
	cfg := ps.base.Copy()
	cfg.ConnConfig.RuntimeParams["search_path"] = sc.path
	if sc.nameParam > 0 {
		cfg.ConnConfig.RuntimeParams["application_name"] = sc.schema
	}
	for setting, value := range sc.limits.settings() {
		cfg.ConnConfig.RuntimeParams[setting] = value
	}
	if after := cfg.AfterConnect; after != nil {
		cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			if err := after(ctx, conn); err != nil {
				return err
			}
			//tenantvet:allow tenantsql the path and the name are the tenant's, whatever AfterConnect has set
			_, err := conn.PgConn().Exec(ctx, resetPathSQL+"; "+resetNameSQL).ReadAll()
			return err
		}
	}
	schema, role, before := sc.schema, ps.roles.Tenant(sc.schema), cfg.BeforeConnect
	cfg.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
		if before != nil {
			if err := before(ctx, cc); err != nil {
				return err
			}
		}
		password, err := ps.ask(ctx, schema)
		if err != nil {
			return fmt.Errorf("password of schema %q: %w", schema, err)
		}
		cc.User, cc.Password = role, password
		return nil
	}
	return pgxpool.NewWithConfig(context.Background(), cfg)
}

// ask returns the tenant's password. It is called on a goroutine of the pool, where a panic would
// end the program and [runtime.Goexit] would never free the connection's place. ask turns both into
// an error of the connection.
func (ps *loginPools) ask(ctx context.Context, schema string) (password string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = errors.New("the function that returns it has ended its goroutine")
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("the function that returns it panicked: %v", r)
			}
		}()
		password, err = ps.password(ctx, schema)
	}()
	<-done
	return password, err
}

// pools returns the open pools.
func (ps *loginPools) pools() []*pgxpool.Pool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	pools := make([]*pgxpool.Pool, 0, len(ps.bySchema))
	for _, el := range ps.bySchema {
		pools = append(pools, el.Value.(*loginPool).pool)
	}
	return pools
}

// evict closes the least recently used pool that is not in use. It returns false if all are in use.
func (ps *loginPools) evict() bool {
	for el := ps.recent.Back(); el != nil; el = el.Prev() {
		if el.Value.(*loginPool).users == 0 {
			ps.retire(el)
			return true
		}
	}
	return false
}

// retire takes a pool out of use. Units of work that wait for its connections get an error at once.
// The pool is closed when its last connection has been returned.
func (ps *loginPools) retire(el *list.Element) {
	p := el.Value.(*loginPool)
	ps.recent.Remove(el)
	delete(ps.bySchema, p.schema)
	p.retired = true
	ps.closing.Go(p.pool.Close)
}

// refresh retires the tenant's pool.
func (ps *loginPools) refresh(schema string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if el, ok := ps.bySchema[schema]; ok {
		ps.retire(el)
	}
}

// leave ends the use of a pool. It reports whether the pool has been retired meanwhile. It does
// nothing on nil.
func (ps *loginPools) leave(p *loginPool) (retired bool) {
	if p == nil {
		return false
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.users--; p.users == 0 {
		close(ps.freed)
		ps.freed = make(chan struct{})
	}
	return p.retired
}

func (ps *loginPools) close() {
	ps.mu.Lock()
	ps.closed = true
	for ps.recent.Len() > 0 {
		ps.retire(ps.recent.Front())
	}
	ps.mu.Unlock()
	ps.closing.Wait()
}
