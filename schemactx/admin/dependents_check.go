package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// CheckDependents returns a [DependentsError] if [Deprovision] would refuse because an object
// outside of the schema depends on it. It changes nothing, and its result can be out of date a
// moment later. It returns nil for a schema that does not exist, and a [schemactx.NameError] for an
// invalid name. ctx governs its transaction.
func CheckDependents(ctx context.Context, owner Beginner, schema string) error {
	if err := schemactx.ValidateName(schema); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		var oid uint32
		err := tx.QueryRow(ctx, "select oid from pg_namespace where nspname = $1", schema).Scan(&oid)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return expectNoDependents(ctx, tx, schema, oid, nil)
	})
	if err != nil {
		return fmt.Errorf("dependents of schema %q: %w", schema, err)
	}
	return nil
}
