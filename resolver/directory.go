package resolver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Database gives a [Directory] access to the registry. [*schemactx.DB] implements it, and needs no
// privileges beyond those of the runtime login.
type Database interface {
	tenancy.Querier

	// Connect opens a connection that can LISTEN. The Directory closes it. ctx governs only the
	// opening.
	Connect(ctx context.Context) (*pgx.Conn, error)
}

// Directory resolves hosts from a copy of the registry in memory. Notifications of the registry, a
// periodic load of everything and a limited number of queries for unknown hosts keep the copy
// current. While the database is unreachable, it answers from memory. It is safe for concurrent
// use.
type Directory struct {
	cfg       Config
	policy    policy
	registry  *tenancy.Registry
	current   atomic.Pointer[snapshot]
	queue     *queue
	status    status
	conflicts atomic.Int64
	stop      context.CancelFunc
	stopped   sync.WaitGroup
}

var _ tenanthttp.Resolver = (*Directory)(nil)

// NewDirectory listens for changes of the registry in db, reads the whole registry, and returns a
// directory that stays current until [Directory.Close]. ctx governs only the first load.
//
// To test that notifications arrive, the directory sends one to itself, on a second connection that
// it closes again. Errors:
//
//   - a [tenancy.FieldError] if cfg is invalid, or a [schemactx.NameError] for RegistrySchema
//   - an error that wraps pgx's if the database cannot be listened to or read
//   - [tenancy.ErrNotInitialized] before Init
//   - [ErrNotListening] if the notification does not arrive within a second
func NewDirectory(ctx context.Context, db Database, cfg Config) (*Directory, error) {
	if db == nil {
		return nil, errors.New("resolver: database is nil")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	if cfg.Connect == nil {
		cfg.Connect = db.Connect
	}
	registry, err := tenancy.NewRegistry(db).InSchema(cfg.RegistrySchema)
	if err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	d := &Directory{cfg: cfg, registry: registry, queue: newQueue(cfg.MissBurst)}
	if d.policy, err = newPolicy(cfg); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	d.current.Store(newSnapshot(d.policy, 0, 0))
	conn, err := d.connect(ctx) // before the load, so that no change between the two is missed
	if err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	b := &builder{policy: d.policy, logger: cfg.Logger}
	if err := d.firstLoad(ctx, b); err != nil {
		closeConn(conn)
		return nil, fmt.Errorf("resolver: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	d.stopped.Go(func() { d.run(background, b) })
	d.stopped.Go(func() { d.listen(background, conn) })
	return d, nil
}

func (d *Directory) firstLoad(ctx context.Context, b *builder) error {
	d.status.s.Connected = true
	d.queue.connect()
	start := time.Now()
	first, _ := d.queue.dequeue(start.Add(gatherDelay), pacer{})
	err := d.load(ctx, b, first)
	d.status.loaded(true, d.queue.finish(first, err), start, err)
	return err
}

// Close closes the connection of the directory, ends its goroutines and waits for them. The
// directory then answers from memory alone. The pool of its database stays open. Close can be
// called again.
func (d *Directory) Close() {
	d.queue.close()
	d.stop()
	d.stopped.Wait()
	d.status.disconnected(ErrClosed)
}

// Resolve returns the public site, or the tenant in any status, that host stands for. The error is
// [tenancy.ErrInvalidHost] for a string that cannot be a host, [tenancy.ErrUnknownHost] for an
// unknown host, and [ErrAmbiguous] for a host of two tenants.
//
// Only an unknown host may cost a query, while the token bucket has tokens. Resolve waits for that
// query until ctx ends, but at most [Config].MissTimeout.
func (d *Directory) Resolve(ctx context.Context, host string) (tenanthttp.Target, error) {
	s := d.current.Load()
	if o, ok := s.hosts[host]; ok { // the keys are in normal form, so a host that is found is normal
		return o.target(host)
	}
	name, err := tenancy.NormalizeHost(host)
	if err != nil {
		return tenanthttp.Target{}, err
	}
	if name != host {
		if o, ok := s.hosts[name]; ok {
			return o.target(name)
		}
	}
	if bare, ok := d.policy.bare(name); ok {
		if o, ok := s.hosts[bare]; ok {
			return o.target(bare)
		}
	}
	if !d.queue.acceptsHosts.Load() {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	return d.resolveMiss(ctx, name)
}
