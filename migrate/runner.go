package migrate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Result is what happened to one schema.
type Result struct {
	Schema   string
	Outcome  Outcome // [Current] also where something was undone, [NewerCompatible] where a newer program was here before
	From, To int64   // the newest version before and after; 0 for none
	Applied  []int64 // in order
	Undone   []int64 // in order
	Duration time.Duration
	Err      error // why the schema is not where it should be, or nil

	order int  // the schema's place in a run over many
	newer bool // a newer program was here, and this one can work with it
}

// did enters steps that were done.
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

// TenantVersion names what [Runner.Up] brings a tenant's schema to: the versions of the tenant set.
// It changes when a migration is added, and sorts, byte by byte, behind that of an earlier release,
// which has fewer; what a file says does not matter to it, nor to a schema that has applied it.
func (r *Runner) TenantVersion() string { return r.tenant.fingerprint() }

// SharedSchema returns that of the configuration.
func (r *Runner) SharedSchema() string { return r.cfg.SharedSchema }

// Role returns the role that the runner's pool works as, to which belongs what migrations make.
func (r *Runner) Role(ctx context.Context) (string, error) {
	var role string
	if err := r.pool.QueryRow(ctx, "select current_user").Scan(&role); err != nil {
		return "", fmt.Errorf("look at the login of the migrations: %w", err)
	}
	return role, nil
}

// Migrate is [Runner.Up] without the result, as package tenancy wants it.
func (r *Runner) Migrate(ctx context.Context, schema string) error {
	_, err := r.Up(ctx, schema)
	return err
}

// UpUnused is [Runner.Up] for a schema that no other session uses yet, such as one that is
// restored. It leaves CONCURRENTLY out of statements, so that they do not wait for the snapshots of
// other sessions. It does not change what migrations that are functions send.
func (r *Runner) UpUnused(ctx context.Context, schema string) (Result, error) {
	unused := *r
	unused.cfg.unused = true
	return unused.Up(ctx, schema)
}

// MigrateUnused is UpUnused without the result, as package tenancy wants it.
func (r *Runner) MigrateUnused(ctx context.Context, schema string) error {
	_, err := r.UpUnused(ctx, schema)
	return err
}

// MigrateNew is MigrateUnused for a schema that was just made, as package tenancy makes them. It
// does not look at the versions first, and does not wait until its commit is on the disk: a crash
// of the server soon after it may undo it. The next commit on the same server that waits for the
// disk, such as the one that activates the tenant, makes it durable.
func (r *Runner) MigrateNew(ctx context.Context, schema string) error {
	fresh := *r
	fresh.cfg.newSchema, fresh.cfg.unused = true, true
	return fresh.Migrate(ctx, schema)
}

// Up applies what is pending in schema: the shared set in [Config].SharedSchema, the tenant set in
// any other. Where nothing is, it does nothing, at the cost of one query; but rights that others
// have on the version table, as they come back when a schema is provisioned again, are taken away
// each time.
//
// It returns, with nothing changed, a [schemactx.NameError] for a bad name, a
// [schemactx.SearchPathError] for a schema of the extra search path that does not exist or that is
// this one, [ErrSchemaMissing], [ErrUnknownVersion], [ErrOutOfOrder], [ErrChanged],
// [ErrNeedsSession], a [TableError], or a [schemactx.LoginError] if the pool works as a superuser
// and not as the owner of the schema or of the database ([Config].Roles); and an [Error] for a
// statement or function that failed: its migration is undone, and those before it, which were
// committed, stay. The result lists those, with an error too; also where the connection was lost,
// unless the versions could not be read again. When ctx ends, the running transaction is rolled
// back.
//
// A migration without a transaction is written down after its last statement. A crash in between,
// or a failed statement, makes it run again from its first: make its statements such that they can,
// with IF NOT EXISTS and the like. An index that CREATE INDEX CONCURRENTLY has left invalid is
// dropped and made again, and the migration is not written down while an index of it is invalid
// ([InvalidIndexError]). A statement with CONCURRENTLY waits for other transactions as
// [Config.ConcurrentTimeout] says ([BlockedError]).
//
// [schemactx.NameError]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#NameError
func (r *Runner) Up(ctx context.Context, schema string) (Result, error) {
	return r.reach(ctx, schema, upTo{Newest})
}

// UpTo is [Runner.Up] without what is newer than version. A version that the schema's set does not
// have is [ErrNoMigration].
func (r *Runner) UpTo(ctx context.Context, schema string, version int64) (Result, error) {
	return r.reach(ctx, schema, upTo{version})
}

// Down undoes the migration that was applied last, which is not the one of the newest version where
// several sources take turns; where none is applied, it does nothing. One without a Down section is
// [ErrNoDown]. The other errors are those of [Runner.Up].
func (r *Runner) Down(ctx context.Context, schema string) (Result, error) {
	return r.reach(ctx, schema, downLast{})
}

// DownTo undoes what is newer than version, the last applied first, in the transactions in which Up
// applies it. Zero undoes everything. One that has no Down section is [ErrNoDown], with
// nothing undone; a version that the schema's set does not have is [ErrNoMigration].
func (r *Runner) DownTo(ctx context.Context, schema string, version int64) (Result, error) {
	return r.reach(ctx, schema, downTo{version})
}

// Redo undoes the migration that was applied last and applies it again. Where the second fails the
// first stays, unless [TransactionForAll] is set. The errors are those of [Runner.Down].
func (r *Runner) Redo(ctx context.Context, schema string) (Result, error) {
	return r.reach(ctx, schema, redoLast{})
}

func (r *Runner) reach(ctx context.Context, schema string, g stepSelector) (Result, error) {
	start := time.Now()
	res := Result{Schema: schema}
	if res.Err = r.checkGoal(schema, g); res.Err == nil {
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

// checkGoal refuses a version that nobody has: a typing error would migrate too far or not at all.
func (r *Runner) checkGoal(schema string, g stepSelector) error {
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
