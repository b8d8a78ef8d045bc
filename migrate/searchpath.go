package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// SearchPath returns the path that the migrations of a schema run with, and the scopes of the
// program too: see [schemactx.SearchPath], whose errors it returns.
func (r *Runner) SearchPath(schema string) (string, error) {
	return schemactx.SearchPath(schema, r.cfg.ExtraSearchPath)
}

// ExtraSearchPath returns that of the configuration.
func (r *Runner) ExtraSearchPath() []string { return slices.Clone(r.cfg.ExtraSearchPath) }

// checkPath returns an error where a schema of the path does not exist: PostgreSQL leaves it out
// without an error, and a migration could fail half-way, or find an operator of another name. It
// costs a round trip where there are any.
func (r *Runner) checkPath(ctx context.Context) error {
	if len(r.cfg.ExtraSearchPath) == 0 {
		return nil
	}
	var missing string
	err := r.pool.QueryRow(ctx, `select coalesce((select name from unnest($1::text[]) with ordinality as x (name, n)
		where not exists (select from pg_namespace where nspname = name) order by n limit 1), '')`,
		pgx.QueryExecModeExec, r.cfg.ExtraSearchPath).Scan(&missing)
	if err == nil && missing != "" {
		err = &schemactx.SearchPathError{Name: missing, Rule: "does not exist: create it, or have Setup make it"}
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
