package registrydb

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotInitialized is returned if there is no registry, see tenancy.ErrNotInitialized.
var ErrNotInitialized = errors.New("the configured schema has no registry, or that of an earlier release: " +
	"run Manager.Init as the owner (programs with the commands of package manage: init); " +
	"if the registry is in another schema, set RegistrySchema or InSchema to it")

// Initialized wraps err with [ErrNotInitialized] if a statement on the registry has not found a
// table, column or schema (undefined_table, undefined_column, invalid_schema_name). Other errors
// are returned as they are.
func Initialized(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || errors.Is(err, ErrNotInitialized) {
		return err
	}
	switch pgErr.Code {
	case "42P01", "42703", "3F000":
		return fmt.Errorf("%w: %w", ErrNotInitialized, err)
	}
	return err
}
