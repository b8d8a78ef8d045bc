package migrate

import (
	"context"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Accepted is what [Runner.Accept] did in one schema.
type Accepted struct {
	Schema   string  `json:"schema"`
	Versions []int64 `json:"versions"` // whose files were edited, oldest first; empty: there was nothing to do
}

// Accept writes down, for each migration that is applied in schema and whose file is another one
// now, the checksum of the file as it is: from then on it is [Applied] and no longer [Changed]. It
// is for after an edit that is known to make no difference to a schema that has the migration, such
// as of its layout. It runs no migration and does not look at the tables: compare them first, see
// [Runner.Subset] and package migrate/drift.
//
// It is one transaction under the schema's lock, which ctx governs, and can be run again. The
// errors are a [schemactx.NameError], [ErrSchemaMissing], [ErrUnknownVersion], [ErrLocked], a
// [TableError] and those of the connection, all with nothing written.
//
// [schemactx.NameError]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#NameError
func (r *Runner) Accept(ctx context.Context, schema string) (Accepted, error) {
	done := Accepted{Schema: schema}
	t, err := r.target(schema)
	if err != nil {
		return done, err
	}
	st, err := readState(ctx, r.pool, t)
	if err != nil || st.absent {
		return done, err
	}
	err = r.retry(ctx, func() (bool, error) {
		done.Versions = nil
		err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) (err error) {
			done.Versions, err = t.accept(ctx, tx)
			return err
		})
		return retryable(err), err
	})
	if err != nil {
		return Accepted{Schema: schema}, err
	}
	if len(done.Versions) > 0 {
		r.cfg.Logger.InfoContext(
			ctx,
			"edited migrations accepted",
			slog.String("schema", schema),
			slog.Any("versions", done.Versions),
		)
	}
	return done, nil
}

// accept does it in a transaction, and returns the versions.
func (t target) accept(ctx context.Context, tx pgx.Tx) ([]int64, error) {
	if err := t.lockIn(ctx, tx); err != nil {
		return nil, err
	}
	st, err := readTable(ctx, tx, t, t.stateQuery())
	if err != nil {
		return nil, err
	}
	applied := t.checkApplied(st)
	if len(applied.unknown) > 0 {
		return nil, t.refusal(applied)
	}
	if len(applied.edited) == 0 {
		return nil, nil
	}
	for _, m := range applied.edited {
		st.sums[m.version] = m.checksum[:noteLen]
	}
	note := strings.ReplaceAll(st.after(nil), "'", "''")
	_, err = tx.Exec(ctx, "comment on table "+t.table+" is '"+note+"'", pgx.QueryExecModeExec)
	if err != nil {
		return nil, t.tableError(err)
	}
	return applied.versions(), nil
}

// lockIn takes the schema's lock for the caller's transaction.
func (t target) lockIn(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(
		ctx,
		"set local lock_timeout = "+milliseconds(t.cfg.LockTimeout),
		pgx.QueryExecModeExec,
	); err != nil {
		return t.wrap(err)
	}
	if t.cfg.Lock == LockTable {
		_, err := tx.Exec(ctx, "lock table "+t.table+" in share row exclusive mode", pgx.QueryExecModeExec)
		if err != nil {
			return t.tableError(err)
		}
		return nil
	}
	try := t.probe()
	var free bool
	if err := tx.QueryRow(ctx, try.sql, pgx.QueryExecModeExec, try.args[0]).Scan(&free); err != nil {
		return t.wrap(err)
	}
	if !free {
		return t.locked()
	}
	return nil
}
