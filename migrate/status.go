package migrate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// State is where one migration stands in one schema.
type State string

const (
	// Pending is a migration that is not applied.
	Pending State = "pending"

	// Applied is a migration that is applied, as far as is known from the file that the sources have.
	Applied State = "applied"

	// Changed is a migration that is applied and whose file is another one now.
	Changed State = "changed"

	// Unknown is a version that is applied and that no source has: of a newer program, or of a
	// source that was left out.
	Unknown State = "unknown"
)

// MigrationStatus is one migration in one schema.
type MigrationStatus struct {
	Migration // of an unknown one only the version

	State State

	// AppliedAt is when the transaction began that applied it, zero while pending. The version
	// table has it without a time zone: it is read in the session's, as it was written.
	AppliedAt time.Time

	// AppliedChecksum is the beginning of the Checksum that the file had when it was applied. Empty
	// while pending, and for a function and what goose applied.
	AppliedChecksum string
}

// Status is where one schema stands.
type Status struct {
	Schema     string
	Migrations []MigrationStatus // by version

	// Outcome is where the schema stands, as [Runner.Fleet] has it: [Current], [Behind],
	// [NewerCompatible], or why [Runner.Up] would refuse. Under [Allow] a schema with [Changed]
	// migrations is judged as if they were not.
	Outcome Outcome

	// Err is why [Runner.Up] would refuse: [ErrUnknownVersion], [ErrOutOfOrder], [ErrChanged] or
	// [ErrNeedsSession]; nil when it would not.
	Err error
}

// Versions returns the versions in one of states, oldest first.
func (s Status) Versions(states ...State) []int64 {
	var versions []int64
	for _, m := range s.Migrations {
		if slices.Contains(states, m.State) {
			versions = append(versions, m.Version)
		}
	}
	return versions
}

// Status returns where each migration of its set stands in schema, with one query. It changes
// nothing. A schema without a version table has nothing applied. The errors are a
// [schemactx.NameError], [ErrSchemaMissing], a [TableError] and those of the connection.
//
// [schemactx.NameError]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#NameError
func (r *Runner) Status(ctx context.Context, schema string) (Status, error) {
	t, err := r.target(schema)
	if err != nil {
		return Status{}, err
	}
	st, err := readState(ctx, r.pool, t)
	if err != nil {
		return Status{}, err
	}
	return t.status(st), nil
}

// StatusTx is [Runner.Status] in the caller's transaction, which sees what its snapshot has and
// goes on whatever comes of it.
func (r *Runner) StatusTx(ctx context.Context, tx pgx.Tx, schema string) (Status, error) {
	t, err := r.target(schema)
	if err != nil {
		return Status{}, err
	}
	var st state
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
		st, err = readTable(ctx, tx, t, t.stateQuery())
		if err == nil && st.absent {
			err = errAbsent // the server's error has ended the savepoint
		}
		return err
	})
	if errors.Is(err, errAbsent) {
		err = checkSchema(ctx, tx, t)
	}
	if err != nil {
		return Status{}, err
	}
	return t.status(st), nil
}

var errAbsent = errors.New("no version table")

func (t target) status(st state) Status {
	status := Status{Schema: t.schema}
	for _, m := range t.set {
		if !st.has(m.version) {
			status.Migrations = append(status.Migrations, MigrationStatus{Migration: m.describe(), State: Pending})
		}
	}
	for _, a := range st.applied {
		ms := MigrationStatus{
			Migration:       Migration{Version: a.version, Set: t.kind},
			State:           Unknown,
			AppliedAt:       a.at,
			AppliedChecksum: st.sums[a.version],
		}
		if m := t.set.find(a.version); m != nil {
			ms.Migration, ms.State = m.describe(), Applied
			if m.edited(st.sums[a.version]) {
				ms.State = Changed
			}
		}
		status.Migrations = append(status.Migrations, ms)
	}
	slices.SortFunc(status.Migrations, func(a, b MigrationStatus) int { return cmp.Compare(a.Version, b.Version) })
	status.Outcome, status.Err = t.outcome(st)
	return status
}
