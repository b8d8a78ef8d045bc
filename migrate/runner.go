package migrate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// Result is the result for one schema.
type Result struct {
	Schema   string
	Outcome  Outcome // also [Current] if migrations were undone; [NewerCompatible] if a newer program has migrated it
	From, To int64   // the newest applied version before and after; 0: none
	Applied  []int64 // in order
	Undone   []int64 // in order
	Duration time.Duration
	Err      error // why the schema is not at the requested version, or nil

	order int  // the schema's place in a run over many
	newer bool // a newer program has migrated the schema, and this one can work with it
}

// did records steps that were committed. now is the state after them.
func (res *Result) did(steps []step, now state) {
	for _, st := range steps {
		if st.dir == Down {
			res.Undone = append(res.Undone, st.m.version)
		} else {
			res.Applied = append(res.Applied, st.m.version)
		}
	}
	res.To = now.newest()
}

// TenantVersion returns a name for the versions of the tenant set, to which [Runner.Up] brings a
// tenant's schema. It changes when a migration is added. Byte by byte it sorts after the name of an
// earlier release, which has fewer versions. It does not depend on the content of the files, which
// a schema that has applied them would not notice either.
func (r *Runner) TenantVersion() string { return r.tenant.fingerprint() }

// SharedSchema returns the name of the shared schema, [Config].SharedSchema.
func (r *Runner) SharedSchema() string { return r.cfg.SharedSchema }

// RoleNames returns [Config].Roles, with the default filled in.
func (r *Runner) RoleNames() schemactx.RoleNames { return r.cfg.Roles }

// Role returns the role that the runner's pool works as. It owns what migrations create.
func (r *Runner) Role(ctx context.Context) (string, error) {
	var role string
	if err := r.pool.QueryRow(ctx, "select current_user").Scan(&role); err != nil {
		return "", fmt.Errorf("look at the login of the migrations: %w", err)
	}
	return role, nil
}

// Migrate is [Runner.Up] without the result, for the interface of package tenancy.
func (r *Runner) Migrate(ctx context.Context, schema string) error {
	_, err := r.Up(ctx, schema)
	return err
}

// UpUnused is [Runner.Up] for a schema that no other session uses yet, such as one that is being
// restored. It removes CONCURRENTLY from statements, so that they do not wait for the snapshots of
// other sessions. It does not change the statements of Go migrations.
func (r *Runner) UpUnused(ctx context.Context, schema string) (Result, error) {
	unused := *r
	unused.cfg.unused = true
	return unused.Up(ctx, schema)
}

// MigrateUnused is [Runner.UpUnused] without the result, for the interface of package tenancy.
func (r *Runner) MigrateUnused(ctx context.Context, schema string) error {
	_, err := r.UpUnused(ctx, schema)
	return err
}

// MigrateNew is [Runner.MigrateUnused] for a schema that package tenancy has just created. It does
// not read the versions first, and it does not wait until its commit is on the disk. A crash of the
// server soon afterwards may undo the commit. The next commit on the server that waits for the
// disk, such as the one that activates the tenant, makes it durable.
func (r *Runner) MigrateNew(ctx context.Context, schema string) error {
	fresh := *r
	fresh.cfg.newSchema, fresh.cfg.unused = true, true
	return fresh.Migrate(ctx, schema)
}

// Up applies the pending migrations of schema: those of the shared set in [Config].SharedSchema,
// those of the tenant set in any other. If none is pending, it costs one query and changes nothing,
// with one exception: it revokes privileges that other roles have on the version table. Such
// privileges come back when a schema is provisioned again.
//
// Errors, with nothing changed: a [schemactx.NameError] for a bad name; a
// [schemactx.SearchPathError] if a schema of the extra search path does not exist or is this one;
// [ErrSchemaMissing]; [ErrUnknownVersion]; [ErrOutOfOrder]; [ErrChanged]; [ErrNeedsSession]; a
// [TableError]; and a [schemactx.LoginError] if the pool works as a superuser and not as the owner
// of the schema or of the database ([Config].Roles). The shared set can also fail with a
// [ForeignTableError]. If another runner keeps the schema's lock for too long, the error is
// [ErrLocked].
//
// If a statement or function of a migration fails, the error is an [Error]. That migration is
// rolled back, and the ones that were committed before it stay. The result lists the committed
// migrations also with an error, and after a lost connection, unless the versions could not be read
// again. When ctx ends, the running transaction is rolled back.
//
// A migration without a transaction is recorded after its last statement. After a crash before
// that, or after a failed statement, the next run starts at the first statement again. So write
// statements that can be repeated, with IF NOT EXISTS and the like. If CREATE INDEX CONCURRENTLY
// has left an invalid index, the next run drops the index and creates it again. The migration is
// not recorded while one of its indexes is invalid ([InvalidIndexError]).
// [Config.ConcurrentTimeout] bounds how long a CONCURRENTLY statement waits for other transactions
// ([BlockedError]).
//
// [schemactx.NameError]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#NameError
func (r *Runner) Up(ctx context.Context, schema string) (Result, error) {
	return r.reach(ctx, schema, upTo{Newest})
}

// UpTo is [Runner.Up] up to version. Newer migrations stay pending. If the schema's set does not
// have version, the error is [ErrNoMigration].
func (r *Runner) UpTo(ctx context.Context, schema string, version int64) (Result, error) {
	return r.reach(ctx, schema, upTo{version})
}

// Down undoes the migration that was applied last. With several sources that need not be the one
// with the highest version. If no migration is applied, it does nothing. The error is [ErrNoDown]
// for a migration without a Down section. The other errors are those of [Runner.Up].
func (r *Runner) Down(ctx context.Context, schema string) (Result, error) {
	return r.reach(ctx, schema, downLast{})
}

// DownTo undoes the migrations that are newer than version, the last applied first, in the same
// transactions in which Up applies them. Zero undoes all. If one of them has no Down section, the
// error is [ErrNoDown] and nothing is undone. If the schema's set does not have version, the error
// is [ErrNoMigration].
func (r *Runner) DownTo(ctx context.Context, schema string, version int64) (Result, error) {
	return r.reach(ctx, schema, downTo{version})
}

// Redo undoes the migration that was applied last and applies it again. If applying it fails, it
// stays undone, unless [TransactionForAll] is set. The errors are those of [Runner.Down].
func (r *Runner) Redo(ctx context.Context, schema string) (Result, error) {
	return r.reach(ctx, schema, redoLast{})
}

func (r *Runner) reach(ctx context.Context, schema string, g stepSelector) (Result, error) {
	start := time.Now()
	res := Result{Schema: schema}
	if res.Err = r.checkVersion(schema, g); res.Err == nil {
		res.Err = r.run(ctx, &res, g)
	}
	res.Duration = time.Since(start)
	res.Outcome = res.outcome()
	r.log(ctx, "schema migrated", res)
	return res, res.Err
}

func (res *Result) outcome() Outcome {
	switch {
	case res.Err != nil:
		return outcomeOf(res.Err)
	case len(res.Applied) > 0:
		return Migrated
	case res.newer:
		return NewerCompatible
	}
	return Current
}

func (r *Runner) log(ctx context.Context, message string, res Result) {
	if len(res.Applied)+len(res.Undone) == 0 {
		return
	}
	r.cfg.Logger.InfoContext(
		ctx,
		message,
		slog.String("schema", res.Schema),
		slog.Int64("from", res.From),
		slog.Int64("to", res.To),
		slog.Int("applied", len(res.Applied)),
		slog.Int("undone", len(res.Undone)),
		slog.Duration("duration", res.Duration),
	)
}

// checkVersion returns an error for a version that the sources do not have. Such a typing error
// would migrate too far or not at all.
func (r *Runner) checkVersion(schema string, g stepSelector) error {
	t, err := r.target(schema)
	if err != nil {
		return err
	}
	var version int64
	switch g := g.(type) {
	case upTo:
		version = g.version
	case downTo:
		version = g.version
	case baseline:
		version = cmp.Or(g.version, -1)
	case djangoBaseline:
		version = cmp.Or(g.version, -1)
	default:
		return nil
	}
	if version == Newest || version == 0 || t.set.find(version) != nil {
		return nil
	}
	return t.wrap(fmt.Errorf("%w: %d", ErrNoMigration, version))
}
