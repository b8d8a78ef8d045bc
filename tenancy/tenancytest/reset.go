package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// errInUse reports a table on which a lock is still held after the test.
var errInUse = errors.New("a transaction is still open")

// lockTimeout is how long a reset waits for locks that the test has left.
const lockTimeout = "5s"

// pristine is the state of an unused tenant, to which all others are reset.
type pristine struct {
	schema    string
	tables    []table // each after the tables that it references
	sequences []sequence
}

func (e *Environment) ensurePristine(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pristine != nil {
		return nil
	}
	t, err := e.create(ctx)
	if err != nil {
		return err
	}
	p := &pristine{schema: t.Schema}
	if p.tables, err = readTables(ctx, e.Owner, t.Schema); err != nil {
		return err
	}
	if p.sequences, err = readSequences(ctx, e.Owner, t.Schema); err != nil {
		return err
	}
	e.pristine = p
	return nil
}

// reset makes the tables and sequences of schema equal to those of the pristine tenant.
func (e *Environment) reset(ctx context.Context, schema string) error {
	now, err := readSequences(ctx, e.Owner, schema)
	if err != nil {
		return err
	}
	path, err := e.DB.SearchPath(schema)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, e.Owner, func(tx pgx.Tx) error {
		// Constraints may call functions that expect the schema, or that of the extensions, in the search
		// path.
		//tenantvet:allow tenantsql the owner restores rows on the path that the tenant's statements have
		_, err := tx.Exec(ctx, `select set_config('lock_timeout', $1, true), set_config('search_path', $2, true)`,
			lockTimeout, path)
		if err != nil {
			return err
		}
		if err := e.resetRows(ctx, tx, schema); err != nil {
			return err
		}
		return resetSequences(ctx, tx, schema, now, e.pristine.sequences)
	})
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "55P03" {
		return fmt.Errorf("%w: %w", errInUse, err)
	}
	return err
}

// resetRows empties the tables with rows and restores the rows of the pristine tenant.
func (e *Environment) resetRows(ctx context.Context, tx pgx.Tx, schema string) error {
	dirty, err := dirtyTables(ctx, tx, schema, e.pristine.tables)
	if err != nil || len(dirty) == 0 {
		return err
	}
	names := make([]string, len(dirty))
	for i, t := range dirty {
		if names[i], err = schemactx.QuoteName(schema); err != nil {
			return err
		}
		names[i] += "." + pgx.Identifier{t.name}.Sanitize() // a table may have any name
	}
	// Without CASCADE, an empty table that references a table with rows must be listed as well.
	if _, err := tx.Exec(ctx, "truncate "+strings.Join(names, ", ")); err != nil {
		return err
	}
	for i, t := range dirty {
		if !t.seeded {
			continue
		}
		sql := fmt.Sprintf(
			"alter table %[1]s disable trigger user; insert into %[1]s (%[2]s) overriding system value "+
				"select %[2]s from %[3]s%[4]s.%[5]s; "+
				"alter table %[1]s enable trigger user",
			names[i],
			t.columns,
			t.only(),
			pgx.Identifier{e.pristine.schema}.Sanitize(),
			pgx.Identifier{t.name}.Sanitize(),
		)
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("restore the rows of table %q: %w", t.name, err)
		}
	}
	return nil
}
