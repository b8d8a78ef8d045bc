package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// Config says what to apply and how.
type Config struct {
	// Shared are the migrations of the schema public, Tenant those of every other schema.
	Shared, Tenant []Source

	// Table is the name of the version table in each schema. Default: goose_db_version.
	Table string

	// LockTimeout bounds the wait for any one lock, so that a migration does not queue up
	// behind a long transaction and everybody else behind it. Default: 5 s.
	LockTimeout time.Duration

	// LockRetries is how often a schema is tried again when a lock was not to be had in time
	// (55P03) or in a deadlock (40P01), with growing pauses from 100 ms. Default: 5;
	// negative: never.
	LockRetries int

	// Logger gets a record for each schema that was changed. Nil discards.
	Logger *slog.Logger
}

// Runner applies migrations. It is safe for concurrent use, also by several processes.
type Runner struct {
	pool           *pgxpool.Pool
	shared, tenant set
	cfg            Config
}

// New reads the sources and returns a runner that works through pool, logged in as the
// owner of the schemas. It does not connect and does not close the pool. A file that is not
// a migration, and a version that two files have, is a [ParseError].
func New(pool *pgxpool.Pool, cfg Config) (*Runner, error) {
	if pool == nil {
		return nil, errors.New("migrate: pool is nil")
	}
	cfg.Table = cmp.Or(cfg.Table, "goose_db_version")
	cfg.LockTimeout = cmp.Or(cfg.LockTimeout, 5*time.Second)
	cfg.LockRetries = cmp.Or(cfg.LockRetries, 5)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := schemactx.ValidateName(cfg.Table); err != nil {
		return nil, fmt.Errorf("migrate: version table: %w", err)
	}
	if cfg.LockTimeout < time.Millisecond {
		return nil, fmt.Errorf("migrate: lock timeout %v is less than 1ms", cfg.LockTimeout)
	}
	r := &Runner{pool: pool, cfg: cfg}
	var err error
	if r.shared, err = load(cfg.Shared); err != nil {
		return nil, err
	}
	if r.tenant, err = load(cfg.Tenant); err != nil {
		return nil, err
	}
	return r, nil
}

// Result is what happened to one schema.
type Result struct {
	Schema   string
	From, To int64   // the newest version before and after; 0 for none
	Applied  []int64 // in order
	Duration time.Duration
	Err      error // why the schema is not up to date, or nil
}

// Migrate is [Runner.Up] without the result, as package tenancy wants it.
func (r *Runner) Migrate(ctx context.Context, schema string) error {
	_, err := r.Up(ctx, schema)
	return err
}

// Up applies what is pending in schema: the shared set in public, the tenant set in any
// other. Where nothing is, it does nothing, at the cost of one query.
//
// It returns a [schemactx.NameError] for a bad name, [ErrSchemaMissing], [ErrUnknownVersion]
// or [ErrOutOfOrder] with nothing applied, and an [Error] for a statement that failed; what
// its transaction had done is undone, what earlier ones did stays. The result is valid with
// an error too. When ctx ends, the running transaction is rolled back.
func (r *Runner) Up(ctx context.Context, schema string) (Result, error) {
	start := time.Now()
	res := Result{Schema: schema}
	res.Err = r.up(ctx, &res)
	res.Duration = time.Since(start)
	if len(res.Applied) > 0 {
		r.cfg.Logger.InfoContext(ctx, "schema migrated", slog.String("schema", schema), slog.Int64("from", res.From),
			slog.Int64("to", res.To), slog.Int("applied", len(res.Applied)), slog.Duration("duration", res.Duration))
	}
	return res, res.Err
}

func (r *Runner) up(ctx context.Context, res *Result) error {
	target, err := r.target(res.Schema)
	if err != nil {
		return err
	}
	applied, err := r.applied(ctx, target)
	if err != nil {
		return err
	}
	res.From = newest(applied)
	res.To = res.From
	for {
		pending, err := target.set.pending(applied)
		if err != nil {
			return fmt.Errorf("migrate schema %q: %w", res.Schema, err)
		}
		if len(pending) == 0 {
			return nil
		}
		done, err := r.applyNext(ctx, target, pending[0].noTx)
		for _, version := range done {
			applied[version] = true
			res.Applied = append(res.Applied, version)
		}
		res.To = newest(applied)
		if err != nil {
			return err
		}
		if len(done) == 0 { // another runner was faster: look again
			if applied, err = r.applied(ctx, target); err != nil {
				return err
			}
		}
	}
}

// Status is where one schema stands.
type Status struct {
	Schema  string
	Applied []int64 // versions, oldest first
	Pending []int64
}

// Status returns which versions of its set schema has and which are pending. It changes
// nothing. The errors are those of [Runner.Up].
func (r *Runner) Status(ctx context.Context, schema string) (Status, error) {
	target, err := r.target(schema)
	if err != nil {
		return Status{}, err
	}
	applied, err := r.applied(ctx, target)
	if err != nil {
		return Status{}, err
	}
	status := Status{Schema: schema, Applied: slices.Sorted(maps.Keys(applied))}
	pending, err := target.set.pending(applied)
	for _, m := range pending {
		status.Pending = append(status.Pending, m.version)
	}
	if err != nil {
		return status, fmt.Errorf("status of schema %q: %w", schema, err)
	}
	return status, nil
}

func newest(applied map[int64]bool) int64 {
	var version int64
	for v := range applied {
		version = max(version, v)
	}
	return version
}
