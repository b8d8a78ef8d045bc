package migrate

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// target is a schema and what is needed to migrate it.
type target struct {
	schema string
	path   string // its search path
	table  string // its version table, qualified and quoted
	kind   Set
	set    set
	cfg    Config
}

// target returns the target for a schema. Its errors are those of names: a [schemactx.NameError] or
// a [schemactx.SearchPathError].
func (r *Runner) target(schema string) (target, error) {
	t := target{schema: schema, kind: TenantSet, set: r.tenant, cfg: r.cfg}
	if schema == r.cfg.SharedSchema {
		t.kind, t.set = SharedSet, r.shared
	} else if err := schemactx.ValidateName(schema); err != nil {
		return t, err
	}
	var err error
	if t.path, err = schemactx.SearchPath(schema, r.cfg.ExtraSearchPath); err != nil {
		return t, err
	}
	t.table, err = schemactx.QuoteName(schema, r.cfg.Table)
	return t, err
}

// tenantName returns an error for a name that cannot be a tenant's schema.
func (r *Runner) tenantName(schema string) error {
	if err := schemactx.ValidateName(schema); err != nil {
		return err
	}
	if schema == r.cfg.SharedSchema {
		return &schemactx.NameError{Name: schema, Rule: "is the schema of the shared migrations"}
	}
	return nil
}

func (t target) wrap(err error) error { return fmt.Errorf("migrate schema %q: %w", t.schema, err) }

// querier is a pool or a connection.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// checkSchema returns ErrSchemaMissing, wrapped, if the schema does not exist.
func checkSchema(ctx context.Context, q querier, t target) error {
	var exists bool
	err := q.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", pgx.QueryExecModeExec, t.schema).
		Scan(&exists)
	switch {
	case err != nil:
		return fmt.Errorf("versions of schema %q: %w", t.schema, err)
	case !exists:
		return fmt.Errorf("migrate schema %q: %w", t.schema, ErrSchemaMissing)
	}
	return nil
}
