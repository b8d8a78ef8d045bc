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

// Database is what a [Directory] reads the registry through; [*schemactx.DB] is one, on the runtime login, and needs no
// more rights than that has.
type Database interface {
	tenancy.Querier

	// Connect opens a connection that can LISTEN, which the Directory closes. ctx governs the opening alone.
	Connect(ctx context.Context) (*pgx.Conn, error)
}

// Directory resolves hosts from a copy of the registry in memory. It is kept current by the registry's notifications, by a
// periodic reading of everything, and by a bounded number of queries for hosts that it does not know. While the database
// is away it goes on answering from memory. It is safe for concurrent use.
type Directory struct {
	cfg      Config
	policy   policy
	registry *tenancy.Registry
	current  atomic.Pointer[snapshot]
	queue    *queue
	status   status
	disputed atomic.Int64
	stop     context.CancelFunc
	stopped  sync.WaitGroup
}

var _ tenanthttp.Resolver = (*Directory)(nil)

// NewDirectory listens to changes of the registry that db reaches, reads it whole, and returns a directory that follows it
// until [Directory.Close]. ctx governs the first reading alone.
//
// A configuration that makes no sense is a [tenancy.FieldError], or a [schemactx.NameError] for RegistrySchema. A database that cannot be listened to or read is an error
// that wraps pgx's, and [tenancy.ErrNotInitialized] before Init: there is no directory without a first copy. The directory sends itself a
// notification, on a second connection that it closes again. If it does not arrive within a second,
// the error is [ErrNotListening].
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
	conn, err := d.connect(ctx) // before reading: what changes after it is told
	if err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	w := &writer{policy: d.policy, logger: cfg.Logger}
	if err := d.first(ctx, w); err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("resolver: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	d.stopped.Go(func() { d.run(background, w) })
	d.stopped.Go(func() { d.listen(background, conn) })
	return d, nil
}

// first does the first load.
func (d *Directory) first(ctx context.Context, w *writer) error {
	d.status.s.Connected = true
	d.queue.connect()
	start := time.Now()
	load, _ := d.queue.take(start.Add(gather), pacer{})
	err := d.load(ctx, w, load)
	d.status.loaded(true, d.queue.finish(load, err), start, err)
	return err
}

// Close ends the connection and the goroutines of the directory, and waits for them. It can be called again. The directory
// then answers from memory alone. The pool of its database stays open.
func (d *Directory) Close() {
	d.queue.close()
	d.stop()
	d.stopped.Wait()
	d.status.disconnected(ErrClosed)
}

// Resolve returns the public site or the tenant, whatever its status, that host stands for. What cannot be a host is
// [tenancy.ErrInvalidHost], an unknown one [tenancy.ErrUnknownHost], and one that two tenants have [ErrAmbiguous]. It
// costs a query, for which it waits [Config].MissTimeout at most or until ctx ends, only where the host is unknown and the
// token bucket is not empty.
func (d *Directory) Resolve(ctx context.Context, host string) (tenanthttp.Target, error) {
	s := d.current.Load()
	if c, ok := s.hosts[host]; ok { // its keys are normalised: a host as the request gave it that is one, is normal
		return c.target(host)
	}
	name, err := tenancy.NormalizeHost(host)
	if err != nil {
		return tenanthttp.Target{}, err
	}
	if len(name) != len(host) || name != host {
		if c, ok := s.hosts[name]; ok {
			return c.target(name)
		}
	}
	if bare, ok := d.policy.bare(name); ok {
		if c, ok := s.hosts[bare]; ok {
			return c.target(bare)
		}
	}
	if !d.queue.open.Load() {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	return d.miss(ctx, name)
}
