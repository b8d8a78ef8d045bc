package migrate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// State is the state of one migration in one schema.
type State string

const (
	// Pending is a migration that is not applied.
	Pending State = "pending"

	// Applied is a migration that is applied, and as far as known from the current file.
	Applied State = "applied"

	// Changed is a migration that is applied and whose file has changed since.
	Changed State = "changed"

	// Unknown is an applied version that no source has. It is that of a newer program, or of a source
	// that was left out.
	Unknown State = "unknown"
)

// MigrationStatus is the status of one migration in one schema.
type MigrationStatus struct {
	Migration // of an unknown migration only Version and Set

	State State

	// AppliedAt is the time in the migration's row of the version table: about when the transaction
	// that applied it began. The transactions of one message get times that are a microsecond apart.
	// AppliedAt is zero while pending. The table has the time without a time zone; it is read in the
	// time zone of the session.
	AppliedAt time.Time

	// AppliedChecksum is the beginning of the Checksum that the file had when it was applied. It is
	// empty while pending, for a Go migration, and for what goose has applied.
	AppliedChecksum string
}

// Status is the status of one schema.
type Status struct {
	Schema     string
	Migrations []MigrationStatus // by version

	// Outcome is the outcome as in [Runner.Fleet]: [Current], [Behind], [NewerCompatible], or why
	// [Runner.Up] would refuse the schema. Under [Allow], [Changed] migrations make no difference to
	// it.
	Outcome Outcome

	// Err is why [Runner.Up] would refuse the schema: [ErrUnknownVersion], [ErrOutOfOrder],
	// [ErrChanged] or [ErrNeedsSession]. It is nil if Up would not refuse it.
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

// Status returns the status of each migration of its set in schema, with one query. It changes
// nothing. In a schema without a version table nothing is applied. The errors are a
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

// StatusTx is [Runner.Status] in the caller's transaction. It sees what the snapshot of the
// transaction has. The transaction can go on, also after an error.
func (r *Runner) StatusTx(ctx context.Context, tx pgx.Tx, schema string) (Status, error) {
	t, err := r.target(schema)
	if err != nil {
		return Status{}, err
	}
	var st state
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
		st, err = readTable(ctx, tx, t, t.stateQuery())
		if err == nil && st.absent {
			err = errAbsent // rolls back to the savepoint, because the server's error has failed the transaction
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
