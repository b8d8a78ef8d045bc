package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// target is a schema with what it needs to be migrated.
type target struct {
	schema string
	path   string // its search path
	table  string // its version table, qualified and quoted
	set    set
}

func (r *Runner) target(schema string) (target, error) {
	t := target{schema: schema, set: r.tenant}
	if schema == schemactx.Public {
		t.set = r.shared
	} else if err := schemactx.ValidateName(schema); err != nil {
		return t, err
	}
	quoted, err := schemactx.QuoteName(schema)
	if err != nil {
		return t, err
	}
	t.path = quoted + ", pg_temp"
	t.table, err = schemactx.QuoteName(schema, r.cfg.Table)
	return t, err
}

// querier is a pool or a connection.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// applied returns the versions that the schema's table says are applied. A schema without
// the table has none; one that does not exist is ErrSchemaMissing.
func (r *Runner) applied(ctx context.Context, t target) (map[int64]bool, error) {
	applied, err := readApplied(ctx, r.pool, t)
	if stateIs(err, undefinedTable) {
		return make(map[int64]bool), r.checkSchema(ctx, t)
	}
	return applied, err
}

func readApplied(ctx context.Context, q querier, t target) (map[int64]bool, error) {
	rows, err := q.Query(ctx, "select version_id, is_applied from "+t.table+" order by id", pgx.QueryExecModeExec)
	if err != nil {
		return nil, fmt.Errorf("versions of schema %q: %w", t.schema, err)
	}
	applied := make(map[int64]bool)
	var version int64
	var isApplied bool
	_, err = pgx.ForEachRow(rows, []any{&version, &isApplied}, func() error {
		note(applied, version, isApplied)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("versions of schema %q: %w", t.schema, err)
	}
	return applied, nil
}

// note enters a row of the version table: the latest row of a version counts. The row of
// version 0 is goose's way to say that the table is there.
func note(applied map[int64]bool, version int64, isApplied bool) {
	switch {
	case version == 0:
	case isApplied:
		applied[version] = true
	default:
		delete(applied, version)
	}
}

func (r *Runner) checkSchema(ctx context.Context, t target) error {
	var exists bool
	err := r.pool.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", pgx.QueryExecModeExec, t.schema).Scan(&exists)
	switch {
	case err != nil:
		return fmt.Errorf("versions of schema %q: %w", t.schema, err)
	case !exists:
		return fmt.Errorf("migrate schema %q: %w", t.schema, ErrSchemaMissing)
	}
	return nil
}

// The SQLSTATEs that this package acts on.
const (
	undefinedTable    = "42P01"
	invalidSchemaName = "3F000"
	lockNotAvailable  = "55P03"
	deadlockDetected  = "40P01"
)

func stateIs(err error, state string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == state
}
