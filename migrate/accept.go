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
	Versions []int64 `json:"versions"` // with an edited file, oldest first; empty: none
}

// Accept records the current checksum of each file that has changed since its migration was applied
// in schema. From then on the migration is [Applied] and no longer [Changed]. Use it after an edit
// that makes no difference to a schema that has the migration, such as one of the layout. Accept
// runs no migration and does not compare tables. Compare them first, see [Runner.Subset] and
// package migrate/drift.
//
// Accept is one transaction under the schema's lock, which ctx governs, and can be run again. It
// returns a [schemactx.NameError], [ErrSchemaMissing], [ErrUnknownVersion], [ErrLocked], a
// [TableError] or an error of the connection. With an error it has recorded nothing.
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

// accept records the checksums in the transaction and returns the versions.
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
