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
)

// LoginsConfig says how tenants log in at level [Logins]. Their roles are made by [ProvisionLogin].
type LoginsConfig struct {
	// Password returns the password of a tenant's role, as given to [ProvisionLogin]. It is called for each new
	// connection and must be safe for concurrent use. Required. See [LoginPassword] for passwords that need no store.
	Password func(ctx context.Context, schema string) (string, error)

	// MaxConns is how many connections the pool of one tenant has at most. Default: 2.
	MaxConns int32

	// MaxPools is how many tenants have a pool at a time. For another one, the pool that was used least recently and is
	// not in use is closed; while all are in use, a unit of work waits within its context. Default: 50.
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

// loginPools holds the pools of the tenants that were active last.
type loginPools struct {
	base     *pgxpool.Config
	roles    RoleNames
	password func(ctx context.Context, schema string) (string, error)
	maxPools int

	mu       sync.Mutex
	bySchema map[string]*list.Element
	recent   list.List     // of *loginPool, the most recently used first
	freed    chan struct{} // closed when a pool has become free, for those who wait
	closed   bool
	closing  sync.WaitGroup
}

type loginPool struct {
	schema string
	pool   *pgxpool.Pool
	users  int // that have a connection of it or wait for one
}

func newLoginPools(pool *pgxpool.Pool, cfg Config) *loginPools {
	base := pool.Config()
	base.MaxConns = cmp.Or(cfg.Logins.MaxConns, 2)
	base.MinConns, base.MinIdleConns = 0, 0
	return &loginPools{
		base: base, roles: cfg.Roles, password: cfg.Logins.Password, maxPools: cmp.Or(cfg.Logins.MaxPools, 50),
		bySchema: make(map[string]*list.Element), freed: make(chan struct{}),
	}
}

// acquire borrows a connection of the tenant's own login. leave must follow when it has gone back.
func (ps *loginPools) acquire(ctx context.Context, schema string) (*pgxpool.Conn, error) {
	p, err := ps.use(ctx, schema)
	if err != nil {
		return nil, err
	}
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		ps.leave(schema)
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && strings.HasPrefix(pgErr.Code, classInvalidAuthorization) {
			err = &ScopeError{Schema: schema, Kind: ErrNotProvisioned, Err: err}
		}
		return nil, err
	}
	return conn, nil
}

// use returns the tenant's pool, which cannot be closed before leave. It waits while all places are taken by pools in
// use.
func (ps *loginPools) use(ctx context.Context, schema string) (*loginPool, error) {
	for {
		p, freed, err := ps.tryUse(schema)
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

func (ps *loginPools) tryUse(schema string) (*loginPool, <-chan struct{}, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return nil, nil, ErrClosed
	}
	el, ok := ps.bySchema[schema]
	if !ok {
		if ps.recent.Len() >= ps.maxPools && !ps.evict() {
			return nil, ps.freed, nil
		}
		pool, err := ps.open(schema)
		if err != nil {
			return nil, nil, err
		}
		el = ps.recent.PushFront(&loginPool{schema: schema, pool: pool})
		ps.bySchema[schema] = el
	}
	ps.recent.MoveToFront(el)
	p := el.Value.(*loginPool)
	p.users++
	return p, nil, nil
}

// open makes the pool of a tenant, which connects when it is used.
func (ps *loginPools) open(schema string) (*pgxpool.Pool, error) {
	cfg := ps.base.Copy()
	role, before := ps.roles.Tenant(schema), cfg.BeforeConnect
	cfg.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
		if before != nil {
			if err := before(ctx, cc); err != nil {
				return err
			}
		}
		password, err := ps.password(ctx, schema)
		if err != nil {
			return fmt.Errorf("password of schema %q: %w", schema, err)
		}
		cc.User, cc.Password = role, password
		return nil
	}
	return pgxpool.NewWithConfig(context.Background(), cfg)
}

// evict closes the least recently used pool that is not in use.
func (ps *loginPools) evict() bool {
	for el := ps.recent.Back(); el != nil; el = el.Prev() {
		if p := el.Value.(*loginPool); p.users == 0 {
			ps.recent.Remove(el)
			delete(ps.bySchema, p.schema)
			ps.closing.Go(p.pool.Close)
			return true
		}
	}
	return false
}

// leave gives the pool free again after use.
func (ps *loginPools) leave(schema string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	el, ok := ps.bySchema[schema]
	if !ok {
		return // the DB has been closed
	}
	if p := el.Value.(*loginPool); p.users > 0 {
		p.users--
		if p.users == 0 {
			close(ps.freed)
			ps.freed = make(chan struct{})
		}
	}
}

func (ps *loginPools) close() {
	ps.mu.Lock()
	ps.closed = true
	for el := ps.recent.Front(); el != nil; el = el.Next() {
		ps.closing.Go(el.Value.(*loginPool).pool.Close)
	}
	ps.recent.Init()
	clear(ps.bySchema)
	ps.mu.Unlock()
	ps.closing.Wait()
}
