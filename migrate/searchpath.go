package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// SearchPath returns the search path of a schema, for its migrations and for the scopes of the
// program. The errors are those of [schemactx.SearchPath].
func (r *Runner) SearchPath(schema string) (string, error) {
	return schemactx.SearchPath(schema, r.cfg.ExtraSearchPath)
}

// ExtraSearchPath returns a copy of [Config].ExtraSearchPath.
func (r *Runner) ExtraSearchPath() []string { return slices.Clone(r.cfg.ExtraSearchPath) }

// checkPath returns an error if a schema of the extra search path does not exist. PostgreSQL
// ignores such a schema without an error. A migration could then fail half way, or use an operator
// of another schema. It costs a round trip unless the list is empty.
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
