package migrate

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/schemalock"
)

// dropBusy returns the schemas of a set on which no session works and that still exist. It reads
// the locks first: a session that has ended since may have dropped its schema.
func (r *Runner) dropBusy(ctx context.Context, found map[string]struct{}) (map[string]struct{}, error) {
	names := slices.Collect(maps.Keys(found))
	held, err := r.namesOf(ctx, schemalock.Scratch.HeldOf(), names)
	if err != nil {
		return nil, err
	}
	there, err := r.namesOf(ctx, "select nspname::text from pg_namespace where nspname = any($1::text[]::name[])", names)
	if err != nil {
		return nil, err
	}
	idle := make(map[string]struct{}, len(there))
	for _, name := range there {
		idle[name] = struct{}{}
	}
	for _, name := range held {
		delete(idle, name)
	}
	return idle, nil
}

func (r *Runner) namesOf(ctx context.Context, sql string, names []string) ([]string, error) {
	rows, err := r.pool.Query(ctx, sql, pgx.QueryExecModeExec, names)
	if err != nil {
		return nil, fmt.Errorf("look for strays: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for strays: %w", err)
	}
	return found, nil
}
